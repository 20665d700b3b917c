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

// callGate counts a module's open calls, so that Drain can wait for them.
type callGate struct {
	mu     sync.Mutex
	open   int
	closed bool
	idle   chan struct{} // closed when closed && open == 0
}

func newCallGate() *callGate { return &callGate{idle: make(chan struct{})} }

// server makes a gRPC server whose calls the gate counts.
func (g *callGate) server(opts []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(opts, grpc.UnaryInterceptor(g.intercept))...)
}

func (g *callGate) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !strings.HasPrefix(info.FullMethod, "/spoolhost.") || info.FullMethod == pluginv1.Plugin_Drain_FullMethodName {
		return next(ctx, req)
	}
	if !g.enter() {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Unavailable, 0, "the module is draining and takes no new calls"))
	}
	defer g.leave()
	return next(ctx, req)
}

func (g *callGate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.open++
	return true
}

func (g *callGate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open--; g.open == 0 && g.closed {
		close(g.idle)
	}
}

func (g *callGate) drain(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		if g.open == 0 {
			close(g.idle)
		}
	}
	g.mu.Unlock()
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
		return spoolgrpc.ToStatus(ctx.Err())
	}
}
