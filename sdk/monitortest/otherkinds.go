package monitortest

import (
	"context"
	"os"
	"slices"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/sdk/registry"
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

// Own is what a module of another kind is told of its own registry key, and what the kit saw
// of it.
type Own struct {
	Token string
	Root  uint64
	// Strays tells of calls with a token or a key that was never given.
	Strays func() []string
}

// StartWith is Start for a module that keeps something: MONITORREG with one root key, and
// what register adds.
func (s Subject) StartWith(ctx context.Context, key registry.Key, register func(grpc.ServiceRegistrar)) (*Module, Own, error) {
	const token = "the token of the module's own key"
	host := newHostServices()
	own := Own{Token: token, Root: host.serve(token, "", key).root, Strays: func() (list []string) {
		host.look(func() { list = slices.Clone(host.strays) })
		return list
	}}
	m, err := s.Start(ctx, func() *grpc.Server {
		server := host.server()
		register(server)
		return server
	})
	return m, own, err
}
