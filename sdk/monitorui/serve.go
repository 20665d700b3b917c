package monitorui

import (
	"log/slog"

	"google.golang.org/grpc"

	monitoruiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitorui/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Option says something about the module to Serve.
type Option = wire.Option

// Name is the module's name, as operators see it. Default: "port monitor UI".
func Name(s string) Option { return wire.Name(s) }

// Version is the module's version, as operators see it. Default: the version that the Go
// build recorded.
func Version(s string) Option { return wire.Version(s) }

// Serve runs the process as a port monitor UI until the host ends it; it does not return.
// Call it first thing in main. Standard output and standard error belong to the module:
// the host reads both, as log lines, and no person sees them.
func Serve(ui UI, opts ...Option) { wire.Serve(Module(ui, opts...)) }

// Module is what Serve serves. The conformance kit serves it too, and nobody else has a use
// for it.
func Module(ui UI, opts ...Option) wire.Module {
	return wire.Module{
		Kind: wire.KindMonitorUI, Name: "port monitor UI",
		Services: []string{wire.ServiceMonitorUI},
		Register: func(s grpc.ServiceRegistrar, host *wire.Host, log *slog.Logger) {
			monitoruiv1.RegisterMonitorUIServer(s, &server{ui: ui, host: host, log: log})
		},
	}.With(opts)
}
