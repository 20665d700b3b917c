package monitor

import (
	"context"
	"log/slog"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Initialize is InitializePrintMonitor2: the host calls it once for each spooler that
// uses the monitor, possibly several times in one process. Everything the instance
// knows must hang off the Monitor it returns: no package variables.
type Initialize func(ctx context.Context, init Init) (Monitor, error)

// Init is MONITORINIT: what an instance receives.
type Init struct {
	// MonitorName is the name the operator installed the monitor under.
	MonitorName string
	// ServerName is the name of the spooler the instance works for.
	ServerName string
	// Local is true for the node's own spooler, false for a cluster spooler.
	Local bool
	// Registry is the instance's root key. It is valid until Shutdown returns.
	Registry registry.Key
	// Spooler takes the instance's reports. It is valid until Shutdown returns.
	Spooler Spooler
	// Logger writes to the host's log, marked with the monitor's name.
	Logger *slog.Logger
}

// Spooler is what a monitor may ask of its spooler.
type Spooler interface {
	// SetJob reports on a job that this instance is printing. JobControlSentToPrinter is
	// how a job comes to its end: send it in EndDoc once the device has every byte.
	SetJob(ctx context.Context, jobID uint64, control spool.JobControl) error
	// SetPort reports a port's condition. SeverityError stops scheduling to the port
	// until a later SetPort clears it.
	SetPort(ctx context.Context, port string, status spool.PortStatus) error
}

// Monitor is one instance: what the monitor handle of InitializePrintMonitor2 stands
// for. Methods may be called from several goroutines at once.
type Monitor interface {
	// EnumPorts lists the ports this instance has.
	EnumPorts(ctx context.Context) ([]spool.PortInfo, error)
	// OpenPort opens a port for printing. The host opens a port once and keeps it open
	// for many documents. An unknown name is spoolerr.NotFound with CodeUnknownPort.
	OpenPort(ctx context.Context, name string) (Port, error)
	// XcvOpenPort opens a configuration channel on the monitor (object empty) or on one
	// of its ports, with the rights of the person who asked.
	XcvOpenPort(ctx context.Context, object string, granted spool.Access) (Xcv, error)
	// Shutdown ends this instance and no other. Afterwards Registry and Spooler refuse.
	Shutdown(ctx context.Context) error
}

// Port is an open port. The host calls one method at a time, and has at most one
// document open: StartDoc, Write..., EndDoc, again and again, then Close.
type Port interface {
	// StartDoc begins a document: usually it connects to the device.
	StartDoc(ctx context.Context, doc spool.Doc) error
	// Write hands bytes to the device and says how many it took. It may take fewer than
	// given, even none: with a nil error, or with spoolerr.NotReady (paper out, buffer
	// full), the host calls again with the rest. It must return before ctx's deadline.
	// Any other error ends the document, which is printed again from its first byte: the
	// number beside such an error does not count.
	Write(ctx context.Context, p []byte) (int, error)
	// EndDoc ends the document. If job.Aborted() the document is incomplete: drop it.
	// Otherwise see it delivered, then report JobControlSentToPrinter.
	EndDoc(ctx context.Context, job spool.JobStatus) error
	// Close gives the port back.
	Close(ctx context.Context) error
}

// Xcv is an open configuration channel.
type Xcv interface {
	// Data carries out one command. name is the data name ("AddPort", "DeletePort",
	// "MonitorUI", or one of the vendor's own). in comes from the caller unchecked:
	// validate all of it. Returning the whole output is right; the adapters do the
	// buffer-size protocol (ERROR_INSUFFICIENT_BUFFER).
	Data(ctx context.Context, name string, in []byte) (out []byte, err error)
	// Close ends the channel.
	Close(ctx context.Context) error
}
