package supervisor

import (
	"context"
	"path"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// isKindCall says that a method is of the module's kind, such as WritePort, and not one of
// those by which the host manages every module, such as Drain.
func isKindCall(method string) bool {
	return strings.HasPrefix(method, "/spoolhost.") && !strings.HasPrefix(method, "/"+pluginv1.Plugin_ServiceDesc.ServiceName+"/")
}

// observe tells who watches how long a call took and how it ended. It comes first, so that
// it sees what the caller sees.
func (p *Process) observe(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if p.env.Observed == nil || !isKindCall(method) {
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

// nameCall names the module and the call in an error that gRPC itself made.
func (p *Process) nameCall(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	began := time.Now()
	err := call(ctx, method, req, reply, cc, opts...)
	if err == nil || len(status.Convert(err).Details()) > 0 || !strings.HasPrefix(method, "/spoolhost.") {
		return err
	}
	kind, name := spoolerr.KindOf(spoolgrpc.FromStatus(err)), path.Base(method)
	switch text := spoolgrpc.Clean(status.Convert(err).Message()); kind {
	case spoolerr.TimedOut:
		err = spoolerr.New(kind, 0, "%s of module %s did not return within %v", name, p.name, time.Since(began).Round(10*time.Millisecond))
	case spoolerr.Exhausted:
		err = spoolerr.New(kind, 0, "module %s answered %s with too much: %s", p.name, name, text)
	default:
		err = spoolerr.New(kind, 0, "%s of module %s failed: %s", name, p.name, text)
	}
	return spoolgrpc.ToStatus(err)
}

// whileEnding refuses calls to a process that the host has begun to end: what fails then
// is not the document's fault. A call that its caller gives up is watched to its end.
func (p *Process) whileEnding(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if !isKindCall(method) {
		return call(ctx, method, req, reply, cc, opts...)
	}
	if _, ending := p.EndedByHost(); ending {
		return spoolgrpc.ToStatus(p.Err())
	}
	err := call(ctx, method, req, reply, cc, opts...)
	if err == nil {
		return nil
	}
	if _, ending := p.EndedByHost(); ending && status.Code(err) == codes.Unavailable {
		return spoolgrpc.ToStatus(p.Err()) // it has begun to drain
	}
	if givenUp(ctx, err) {
		about, _ := ctx.Value(aboutKey{}).(string)
		p.gaveUp(about + path.Base(method))
	}
	return err
}

type aboutKey struct{}

// About names what calls with this context are about, such as a port: a process that is
// ended because one of them hangs is ended with that in the reason.
func About(ctx context.Context, what string) context.Context {
	return context.WithValue(ctx, aboutKey{}, what+": ")
}

// givenUp says that a call has no answer because its context ended. The other end keeps
// the same deadline by a timer of its own, and its word that it has passed may be here
// before our own timer has fired.
func givenUp(ctx context.Context, err error) bool {
	if len(status.Convert(err).Details()) > 0 {
		return false
	}
	const grain = 10 * time.Millisecond
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(deadline) < grain
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
