package monitortest_test

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// bounded is a module that reads the registry into a buffer of 4 KiB and gives up when a
// value does not fit.
type bounded struct{ wire.Module }

func (b bounded) Server(host *wire.Host, log *slog.Logger) *grpc.Server {
	return b.Module.Server(host.Over(func(conn grpc.ClientConnInterface) grpc.ClientConnInterface { return small{conn} }), log)
}

type small struct{ grpc.ClientConnInterface }

func (s small) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	switch r := args.(type) {
	case *hostservicev1.QueryValueRequest:
		r.MaxData = 4096
	case *hostservicev1.EnumValueRequest:
		r.MaxData = 4096
	}
	return s.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
}
