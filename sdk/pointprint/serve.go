package pointprint

import (
	"log/slog"

	"google.golang.org/grpc"

	pointprintv1 "github.com/spoolhost/spoolhost/proto/spoolhost/pointprint/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Option says something about the module to Serve.
type Option = wire.Option

// Name is the module's name, as operators see it. Default: "Point and Print module".
func Name(s string) Option { return wire.Name(s) }

// Version is the module's version, as operators see it. Default: the version that the Go
// build recorded.
func Version(s string) Option { return wire.Version(s) }

// Serve runs the process as a Point and Print module until the host ends it; it does not
// return. Call it first thing in main. Standard output and standard error belong to the
// module: the host reads both, as log lines.
func Serve(initialize Initialize, opts ...Option) { wire.Serve(Served(initialize, opts...)) }

// Served is what Serve serves. The conformance kit serves it too, and nobody else has a use
// for it.
func Served(initialize Initialize, opts ...Option) wire.Module {
	return wire.Module{
		Kind: wire.KindPointPrint, Name: "Point and Print module",
		Services: []string{wire.ServicePointPrintV1},
		Register: func(s grpc.ServiceRegistrar, host *wire.Host, log *slog.Logger) {
			pointprintv1.RegisterPointAndPrintServer(s, &server{initialize: initialize, host: host, log: log})
		},
	}.With(opts)
}
