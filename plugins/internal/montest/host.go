package montest

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Host is the far side of one monitor instance.
type Host struct {
	Registry *Registry
	Log      io.Writer

	mu      sync.Mutex
	jobs    []JobReport
	ports   []PortReport
	refusal error
}

// JobReport is one SetJob.
type JobReport struct {
	Job     uint64
	Control spool.JobControl
}

// PortReport is one SetPort.
type PortReport struct {
	Port   string
	Status spool.PortStatus
}

// NewHost makes a host with an empty registry.
func NewHost() *Host { return &Host{Registry: NewRegistry(), Log: io.Discard} }

// Init is what the host gives to Initialize.
func (h *Host) Init(name string) monitor.Init {
	return monitor.Init{
		MonitorName: name, ServerName: "NTPRINT", Local: true,
		Registry: h.Registry.Root(), Spooler: h,
		Logger: slog.New(slog.NewTextHandler(h.Log, nil)),
	}
}

// SetJob records the report.
func (h *Host) SetJob(ctx context.Context, id uint64, control spool.JobControl) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.refused(ctx); err != nil {
		return err
	}
	h.jobs = append(h.jobs, JobReport{id, control})
	return nil
}

// SetPort records the report.
func (h *Host) SetPort(ctx context.Context, port string, status spool.PortStatus) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.refused(ctx); err != nil {
		return err
	}
	h.ports = append(h.ports, PortReport{port, status})
	return nil
}

// Refuse makes every later report fail with err; nil ends that.
func (h *Host) Refuse(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refusal = err
}

// Jobs gives the SetJob reports so far.
func (h *Host) Jobs() []JobReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.jobs)
}

// Ports gives the SetPort reports so far.
func (h *Host) Ports() []PortReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ports)
}

func (h *Host) refused(ctx context.Context) error {
	if h.refusal != nil {
		return h.refusal
	}
	return ctx.Err()
}
