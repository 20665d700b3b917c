package monitor

import (
	"log/slog"

	"google.golang.org/grpc"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Option says something about the module to Serve.
type Option func(*options)

type options struct{ name, version string }

// Name is the module's name, as operators see it. Default: "port monitor".
func Name(s string) Option { return func(o *options) { o.name = s } }

// Version is the module's version, as operators see it. Default: the version that the Go
// build recorded.
func Version(s string) Option { return func(o *options) { o.version = s } }

// Serve runs the process as a port monitor until the host ends it; it does not return.
// Call it first thing in main. Standard output and standard error belong to the module:
// the host reads both, as log lines.
func Serve(initialize Initialize, opts ...Option) {
	o := options{name: "port monitor", version: wire.BuildVersion()}
	for _, opt := range opts {
		opt(&o)
	}
	wire.Serve(wire.Module{
		Kind: wire.KindMonitor, Name: o.name, Version: o.version,
		Services: []string{wire.ServiceMonitorV2},
		Register: func(s grpc.ServiceRegistrar, host *wire.Host, log *slog.Logger) {
			monitorv2.RegisterPrintMonitorServer(s, newServer(initialize, host, log))
		},
	})
}
