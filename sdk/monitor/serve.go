package monitor

import (
	"log/slog"

	"google.golang.org/grpc"

	monitorv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v1"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Option says something about the module to Serve.
type Option = wire.Option

// Name is the module's name, as operators see it. Default: "port monitor".
func Name(s string) Option { return wire.Name(s) }

// Version is the module's version, as operators see it. Default: the version that the Go
// build recorded.
func Version(s string) Option { return wire.Version(s) }

// StandsBy says that Initialize and EnumPorts of this monitor read the registry and nothing
// else: they reach no device and write nothing. A host of a cluster then calls both before it
// takes a spooler over, while the node that has it may still print, so that a fail-over need
// not wait for them. Until the spooler is this host's a change of the registry is refused; if
// the spooler never is, Shutdown follows.
func StandsBy() Option {
	return func(m *wire.Module) { m.Capabilities = append(m.Capabilities, CapStandBy) }
}

// Serve runs the process as a port monitor until the host ends it; it does not return.
// Call it first thing in main. Standard output and standard error belong to the module:
// the host reads both, as log lines.
func Serve(initialize Initialize, opts ...Option) { wire.Serve(Module(initialize, opts...)) }

// ServeV1 is Serve for an unconverted monitor, which can serve a node spooler only.
func ServeV1(initialize InitializeV1, opts ...Option) { wire.Serve(ModuleV1(initialize, opts...)) }

// Module is what Serve serves. The conformance kit runs it without a process.
func Module(initialize Initialize, opts ...Option) wire.Module {
	m := module(wire.ServiceMonitorV2, opts)
	m.Register = func(s grpc.ServiceRegistrar, host *wire.Host, log *slog.Logger) {
		monitorv2.RegisterPrintMonitorServer(s, newServer(initialize, host, log))
	}
	return m
}

// ModuleV1 is what ServeV1 serves.
func ModuleV1(initialize InitializeV1, opts ...Option) wire.Module {
	m := module(wire.ServiceMonitorV1, opts)
	m.Register = func(s grpc.ServiceRegistrar, host *wire.Host, log *slog.Logger) {
		monitorv1.RegisterPrintMonitorServer(s, &serverV1{initialize: initialize, v2: newServer(nil, host, log)})
	}
	return m
}

func module(service string, opts []Option) wire.Module {
	return wire.Module{Kind: wire.KindMonitor, Name: "port monitor", Services: []string{service}}.With(opts)
}
