package api

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// ippServer answers requests of IPP that other nodes pass on.
type ippServer struct {
	apiv1.UnimplementedIppServer
	*Server
}

func (s *ippServer) PassIpp(r *apiv1.PassIppRequest, stream grpc.ServerStreamingServer[apiv1.PassIppResponse]) error {
	who, carried := stream.Context().Value(carriedKey{}).(caller)
	if !carried || s.cfg.AnswerIPP == nil {
		return spoolerr.New(spoolerr.Denied, 0, "requests of IPP are passed on by nodes of a cluster only")
	}
	return s.cfg.AnswerIPP(stream.Context(), who.Caller, r, ippAnswer{stream})
}

type ippAnswer struct {
	stream grpc.ServerStreamingServer[apiv1.PassIppResponse]
}

// Write implements io.Writer.
func (a ippAnswer) Write(b []byte) (int, error) {
	if err := a.stream.Send(&apiv1.PassIppResponse{Data: b}); err != nil {
		return 0, err
	}
	return len(b), nil
}

// PassIPP has the owner of a spooler answer a request of IPP, waiting for one if there is
// none. No answer and no error say that this host owns it by now, and nothing was done.
func (s *Server) PassIPP(ctx context.Context, who access.Caller, r *apiv1.PassIppRequest) (io.ReadCloser, error) {
	name := r.GetSpooler()
	for until := time.Now().Add(routePatience); ; {
		conn, here, err := s.route(ctx, name, until)
		if err != nil || here {
			return nil, err
		}
		owned, release := s.whileOwned(ctx, name)
		stream, err := apiv1.NewIppClient(conn).PassIpp(passOn(owned, who), r)
		var first *apiv1.PassIppResponse
		if err == nil {
			first, err = stream.Recv()
		}
		if err == nil {
			return &passedAnswer{rest: chunks{rest: first.GetData(), next: func() ([]byte, error) {
				m, err := stream.Recv()
				if err != nil && !errors.Is(err, io.EOF) {
					err = ownerLost(ctx, name, err)
				}
				return m.GetData(), err
			}}, release: release}, nil
		}
		release()
		var trailer metadata.MD
		if stream != nil { // nil: the owner was not reached
			trailer = stream.Trailer()
		}
		if !s.again(ctx, err, trailer, until) {
			return nil, ownerLost(ctx, name, err)
		}
	}
}

// passedAnswer is an answer as it comes from another node.
type passedAnswer struct {
	rest    chunks
	release func()
}

// Read implements io.Reader.
func (a *passedAnswer) Read(b []byte) (int, error) { return a.rest.Read(b) }

// Close ends the request, if it has not ended.
func (a *passedAnswer) Close() error {
	a.release()
	return nil
}
