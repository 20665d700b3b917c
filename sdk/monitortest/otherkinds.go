package monitortest

import (
	"context"
	"os"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/sdk/wire"
)

// hostServer is the host's side of the socket that a module calls back on.
type hostServer interface{ server() *grpc.Server }

type hostServerFunc func() *grpc.Server

func (f hostServerFunc) server() *grpc.Server { return f() }

// Module is a running module of another kind, for the kits of those kinds
// (sdk/monitoruitest); vendors have no use for it.
type Module struct {
	// Conn is the connection to it.
	Conn grpc.ClientConnInterface
	// Output gives what it has written last, and Kill ends it.
	Output func() []string
	Kill   func()
}

// Other is a module of another kind in this process.
func Other(m wire.Module) Subject { return inProcess(m) }

// Start starts a subject with other host services than a monitor's.
func (s Subject) Start(ctx context.Context, services func() *grpc.Server) (*Module, error) {
	dir, err := os.MkdirTemp("", "kit")
	if err != nil {
		return nil, err
	}
	m, err := s.start(ctx, hostServerFunc(services), dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return &Module{Conn: m.conn, Output: m.out.last, Kill: func() {
		m.kill()
		_ = os.RemoveAll(dir)
	}}, nil
}

// Name is the executable's path, or empty for a module in this process.
func (s Subject) Name() string { return s.name }
