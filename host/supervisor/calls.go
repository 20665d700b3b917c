package supervisor

import (
	"context"
	"path"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// observe tells who watches how long a call took and how it ended. It comes first, so that
// it sees what the caller sees.
func (p *Process) observe(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if p.env.Observed == nil || !strings.HasPrefix(method, "/spoolhost.") {
		return call(ctx, method, req, reply, cc, opts...)
	}
	began := p.env.Now()
	err := call(ctx, method, req, reply, cc, opts...)
	p.env.Observed(p.name, path.Base(method), p.env.Now().Sub(began), spoolgrpc.FromStatus(err))
	return err
}

// requireDeadline refuses a call that could hang for ever.
func requireDeadline(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok && strings.HasPrefix(method, "/spoolhost.") {
		return spoolgrpc.ToStatus(spoolerr.New(spoolerr.Internal, 0, "call of %s has no deadline", method))
	}
	return call(ctx, method, req, reply, cc, opts...)
}

// explainExit turns a broken connection into the story of the process: a transport error
// has no detail of ours. A process that lost its connection is of no more use. Once the
// process is gone every call is answered with how it ended, whatever gRPC makes of it.
func (p *Process) explainExit(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := call(ctx, method, req, reply, cc, opts...)
	if err == nil || len(status.Convert(err).Details()) > 0 {
		return err
	}
	if status.Code(err) == codes.Unavailable {
		_ = p.run.Kill(ctx)
		select {
		case <-p.Done():
		case <-ctx.Done():
		}
	}
	select {
	case <-p.Done():
		return spoolgrpc.ToStatus(p.Err())
	default:
		return err
	}
}
