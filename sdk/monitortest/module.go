package monitortest

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/spoolhost/spoolhost/sdk/wire"
)

// module is a running module, whatever runs it.
type module struct {
	conn *grpc.ClientConn
	out  *output
	pid  int // 0 in process
	// kill ends it at once and waits until nothing is left; it may be called again.
	kill func()
	// ended is closed when the process has ended; nil in process.
	ended <-chan struct{}
	// cut closes the host's end of the lifeline.
	cut func()
}

// obituary says that the process has ended, if it has.
func (m *module) obituary() string {
	select {
	case <-m.ended: // nil in process, and never ready
		return " (its process has ended)"
	default:
		return ""
	}
}

// servable is what the sdk serves.
type servable interface {
	Server(host *wire.Host, log *slog.Logger) *grpc.Server
}

// inProcess is a subject without a process: both directions of gRPC go through memory.
func inProcess(served servable) Subject {
	return Subject{inProcess: true, start: func(_ context.Context, host hostServer, _ string) (*module, error) {
		toHost, closeHost, err := overMemory(host.server())
		if err != nil {
			return nil, err
		}
		out := &output{}
		log := slog.New(slog.NewTextHandler(out.writer(), nil))
		conn, closeModule, err := overMemory(served.Server(wire.NewHost(toHost), log))
		if err != nil {
			closeHost()
			return nil, err
		}
		var once sync.Once
		return &module{conn: conn, out: out, kill: func() {
			once.Do(func() {
				closeModule()
				closeHost()
			})
		}}, nil
	}}
}

// overMemory serves s and gives a connection to it.
func overMemory(s *grpc.Server) (*grpc.ClientConn, func(), error) {
	l := bufconn.Listen(1 << 20)
	conn, err := dial("passthrough:///memory", insecure.NewCredentials(),
		func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
	if err != nil {
		return nil, nil, err
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l)
	}()
	return conn, func() {
		_ = conn.Close()
		s.Stop() // it does not wait for calls that never return
		<-served
	}, nil
}
