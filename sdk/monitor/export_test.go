package monitor

import (
	"log/slog"

	"google.golang.org/grpc"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Register serves a monitor as Serve does, without a process around it.
func Register(s grpc.ServiceRegistrar, initialize Initialize, host *wire.Host, log *slog.Logger) {
	monitorv2.RegisterPrintMonitorServer(s, newServer(initialize, host, log))
}

// RegisterV1 serves an unconverted monitor as ServeV1 does.
func RegisterV1(s grpc.ServiceRegistrar, initialize InitializeV1, host *wire.Host, log *slog.Logger) {
	ModuleV1(initialize).Register(s, host, log)
}
