package api

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/xcv"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

type xcvServer struct {
	apiv1.UnimplementedXcvServer
	*Server
	sessions *xcv.Limit
}

// xcvSessions bounds the handles that stay open at the monitors.
func xcvSessions() *xcv.Limit { return &xcv.Limit{What: "Xcv sessions", PerCaller: 16, InAll: 256} }

func (s *xcvServer) Session(stream grpc.BidiStreamingServer[apiv1.XcvSessionRequest, apiv1.XcvSessionResponse]) error {
	ctx := stream.Context()
	first, err := stream.Recv()
	if err != nil {
		return cutShort(ctx, err)
	}
	leave, err := s.sessions.Enter(callerOf(ctx).Name)
	if err != nil {
		return err
	}
	defer leave()
	session, err := s.open(ctx, first.GetOpen())
	if err != nil {
		return err
	}
	defer func() { _ = session.Close(ctx) }() // nobody is left to hear of it
	err = stream.Send(&apiv1.XcvSessionResponse{Response: &apiv1.XcvSessionResponse_Opened{Opened: &apiv1.XcvOpened{
		Monitor: session.Monitor(), GrantedAccess: uint32(session.Granted()),
	}}})
	for err == nil {
		err = answer(stream, session)
	}
	return cutShort(ctx, err)
}

func (s *xcvServer) open(ctx context.Context, r *apiv1.XcvOpen) (*spooler.XcvSession, error) {
	if r == nil {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "the first message of a session opens it")
	}
	target, err := xcv.ParseTarget(r.GetObject())
	if err != nil {
		return nil, err
	}
	granted, err := grant(ctx, spool.Access(r.GetDesiredAccess()))
	if err != nil {
		return nil, err
	}
	name := r.GetSpooler()
	if target.Server != "" {
		name = target.Server
	}
	sp, err := s.spooler(name)
	if err != nil {
		return nil, err
	}
	return sp.OpenXcv(ctx, target, granted)
}

// answer carries out the next command of a session.
func answer(stream grpc.BidiStreamingServer[apiv1.XcvSessionRequest, apiv1.XcvSessionResponse], session *spooler.XcvSession) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	r := m.GetData()
	if r == nil {
		return spoolerr.New(spoolerr.Invalid, 0, "the session is open; its next messages are commands")
	}
	out, err := session.Data(stream.Context(), r.GetName(), r.GetInput())
	return stream.Send(&apiv1.XcvSessionResponse{Response: &apiv1.XcvSessionResponse_Result{
		Result: xcvResult(out, err, r.GetOutputSize()),
	}})
}

// xcvResult puts the outcome of a command on its two channels, and an output that is too
// long for the caller's buffer on neither.
func xcvResult(out []byte, err error, size uint32) *apiv1.XcvResult {
	var status *monitorwire.Status
	needed := uint32(len(out))
	switch {
	case errors.As(err, &status):
		return &apiv1.XcvResult{Status: uint32(spoolerr.CodeOf(err)), Kind: uint32(spoolerr.KindOf(err)), Message: spoolgrpc.Clean(err.Error())}
	case err != nil:
		return &apiv1.XcvResult{Error: uint32(spoolerr.CodeOf(err)), Kind: uint32(spoolerr.KindOf(err)), Message: spoolgrpc.Clean(err.Error())}
	case needed > size:
		return &apiv1.XcvResult{
			Status: uint32(spoolerr.CodeInsufficientBuffer), Kind: uint32(spoolerr.MoreData), OutputNeeded: needed,
			Message: "the output buffer is too small",
		}
	}
	return &apiv1.XcvResult{Output: out, OutputNeeded: needed}
}

// rightsOf gives what a role may do with a print server.
func rightsOf(r access.Role) spool.Access {
	const all = spool.ServerAccessAdminister | spool.ServerAccessEnumerate | spool.PrinterAccessAdminister |
		spool.PrinterAccessUse | spool.JobAccessAdminister | spool.JobAccessRead
	switch r {
	case access.Administrator:
		return all
	case access.Operator:
		return all &^ spool.ServerAccessAdminister
	}
	return spool.ServerAccessEnumerate | spool.PrinterAccessUse
}

// grant gives the rights that a caller wants, or all that it may have if it names none.
func grant(ctx context.Context, desired spool.Access) (spool.Access, error) {
	c := callerOf(ctx)
	rights := rightsOf(c.Role)
	switch {
	case desired == 0:
		return rights, nil
	case !rights.Has(desired):
		return 0, spoolerr.New(spoolerr.Denied, 0, "%s is %s and may have access 0x%x, not 0x%x: ask an administrator of this host",
			c.Name, article(c.Role), uint32(rights), uint32(desired))
	}
	return desired, nil
}

// cutShort takes a stream that its client ended for what it is: the end.
func cutShort(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	if ctx.Err() != nil {
		return spoolgrpc.FromStatus(ctx.Err())
	}
	return err
}
