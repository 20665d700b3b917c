package wire

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// callGate knows a module's open calls, so that Drain and Settle can wait for them.
type callGate struct {
	mu     sync.Mutex
	open   map[*openCall]struct{}
	closed bool
}

type openCall struct {
	ctx  context.Context // ended if the host has given the call up
	done chan struct{}
}

func newCallGate() *callGate { return &callGate{open: make(map[*openCall]struct{})} }

// server makes a gRPC server whose calls the gate knows. Goroutines are kept for them, with
// stacks that have grown already; where all are in use, a call gets one of its own.
func (g *callGate) server(opts []grpc.ServerOption) *grpc.Server {
	const kept = 8
	return grpc.NewServer(append(opts, grpc.NumStreamWorkers(kept), grpc.UnaryInterceptor(g.intercept), grpc.StreamInterceptor(g.interceptStream))...)
}

// interceptStream counts a stream as a call, which lasts until its handler returns.
func (g *callGate) interceptStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	_, err := g.intercept(stream.Context(), nil, &grpc.UnaryServerInfo{FullMethod: info.FullMethod}, func(context.Context, any) (any, error) {
		return nil, next(srv, stream)
	})
	return err
}

// intercept lets a call in, but none of the Plugin service itself: those wait for calls.
func (g *callGate) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !strings.HasPrefix(info.FullMethod, "/spoolhost.") || strings.HasPrefix(info.FullMethod, "/"+pluginv1.Plugin_ServiceDesc.ServiceName+"/") {
		return next(ctx, req)
	}
	call, ok := g.enter(ctx)
	if !ok {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Unavailable, 0, "the module is draining and takes no new calls"))
	}
	defer g.leave(call)
	// One that was given up before it was in may be too late for Settle, and must not hang.
	if ctx.Err() != nil {
		return nil, spoolgrpc.ToStatus(ctx.Err())
	}
	return next(ctx, req)
}

func (g *callGate) enter(ctx context.Context) (*openCall, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	c := &openCall{ctx: ctx, done: make(chan struct{})}
	g.open[c] = struct{}{}
	return c, true
}

func (g *callGate) leave(c *openCall) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, c)
	close(c.done)
}

// drain lets no more calls in and waits for those that are.
func (g *callGate) drain(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	return g.await(ctx, func(*openCall) bool { return true })
}

// settle waits for the calls that the host has given up.
func (g *callGate) settle(ctx context.Context) error {
	return g.await(ctx, func(c *openCall) bool { return c.ctx.Err() != nil })
}

func (g *callGate) await(ctx context.Context, which func(*openCall) bool) error {
	var calls []*openCall
	g.mu.Lock()
	for c := range g.open {
		if which(c) {
			calls = append(calls, c)
		}
	}
	g.mu.Unlock()
	for _, c := range calls {
		select {
		case <-c.done:
		case <-ctx.Done():
			return spoolgrpc.ToStatus(ctx.Err())
		}
	}
	return nil
}
