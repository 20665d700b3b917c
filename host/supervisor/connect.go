package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// connect runs go-plugin's start, which knows no deadline once it dials, under ours.
func (p *Process) connect(ctx context.Context) error {
	type result struct {
		raw any
		err error
	}
	started := make(chan result, 1)
	go func() {
		defer close(p.connected)
		protocol, err := p.client.Client()
		if err != nil {
			started <- result{err: err}
			return
		}
		raw, err := protocol.Dispense(wire.PluginName)
		started <- result{raw: raw, err: err}
	}()
	var r result
	select {
	case r = <-started:
	case <-ctx.Done():
		return p.tooLate(ctx)
	}
	if r.err != nil {
		return r.err
	}
	conn, ok := r.raw.(*grpc.ClientConn)
	if !ok {
		return errors.New("no gRPC connection")
	}
	if err := p.reach(ctx, conn); err != nil {
		return err
	}
	p.conn = conn
	return nil
}

func (p *Process) tooLate(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return spoolerr.New(spoolerr.Cancelled, 0, "its start was cancelled")
	}
	return spoolerr.New(spoolerr.TimedOut, 0, "no handshake within %v", p.env.StartTimeout)
}

// reach waits until the connection stands: go-plugin reports a start as good that nobody
// answers, or somebody without the certificate of the handshake.
func (p *Process) reach(ctx context.Context, conn *grpc.ClientConn) error {
	for {
		switch state := conn.GetState(); state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			return spoolerr.New(spoolerr.Unavailable, spoolerr.CodeInvalidPrintMonitor,
				"nobody answers at the address of its handshake, or not with the certificate of its handshake")
		default:
			if !conn.WaitForStateChange(ctx, state) {
				return p.tooLate(ctx)
			}
		}
	}
}

// startFailure chooses the error that says most, and adds what the module said last. It
// is for when the process is gone: before, neither is complete.
func (p *Process) startFailure(err error) error {
	if hs := p.run.badHandshake(); hs != nil {
		err = hs
	} else if how, ok := p.run.endedAlone(); ok {
		err = spoolerr.New(spoolerr.Unavailable, spoolerr.CodeInvalidPrintMonitor, "it ended during its start: %s", how)
	}
	var own *spoolerr.Error
	if !errors.As(err, &own) {
		err = spoolerr.New(spoolerr.Unavailable, spoolerr.CodeInvalidPrintMonitor, "%s", spoolgrpc.Clean(err.Error()))
	}
	if words := p.out.lastWords(); words != "" {
		err = spoolerr.New(spoolerr.KindOf(err), spoolerr.CodeOf(err), "%s; its last words: %s", err, words)
	}
	return spoolerr.Wrap(err, "module %s did not start", p.name)
}

// dialed holds the connections that go-plugin has made. It forgets to close one if the
// module dies while it connects, and may then make another in its Kill.
type dialed struct {
	mu    sync.Mutex
	conns []*grpc.ClientConn
}

// intercept notes the connection of each stream that go-plugin opens. It refuses the
// broker's: nobody here uses it, and each message of it costs go-plugin a goroutine.
func (d *dialed) intercept(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	d.mu.Lock()
	d.conns = append(d.conns, cc)
	d.mu.Unlock()
	if method == "/plugin.GRPCBroker/StartStream" {
		return nil, status.Error(codes.Unimplemented, "the host serves its services on their own socket")
	}
	return open(ctx, desc, cc, method, opts...)
}

func (d *dialed) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, cc := range d.conns {
		_ = cc.Close() // again, as a rule
	}
}

// connPlugin hands the bare connection out.
type connPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (connPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return fmt.Errorf("the host serves its services on their own socket")
}

func (connPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}
