package driver

import (
	"log/slog"

	"google.golang.org/grpc"

	driverv1 "github.com/spoolhost/spoolhost/proto/spoolhost/driver/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Option says something about the module to Serve.
type Option = wire.Option

// Name is the module's name, as operators see it. Default: "printer driver".
func Name(s string) Option { return wire.Name(s) }

// Version is the module's version, as operators see it. Default: the version that the Go
// build recorded.
func Version(s string) Option { return wire.Version(s) }

// Serve runs the process as a printer driver until the host ends it; it does not
// return. Call it first thing in main. Standard output and standard error belong to the
// module: the host reads both, as log lines.
func Serve(load Load, opts ...Option) { wire.Serve(Served(load, opts...)) }

// Served is what Serve serves. The conformance kit serves it too, and nobody else has a use
// for it.
func Served(load Load, opts ...Option) wire.Module {
	return wire.Module{
		Kind: wire.KindDriver, Name: "printer driver",
		Services: []string{wire.ServiceDriverV1},
		Register: func(s grpc.ServiceRegistrar, host *wire.Host, log *slog.Logger) {
			driverv1.RegisterPrinterDriverServer(s, &server{load: load, host: host, log: log})
		},
	}.With(opts)
}
