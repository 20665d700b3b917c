package api

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// show gathers what the spoolers say of a monitor.
func (s *monitorsServer) show(m catalog.Monitor) *apiv1.Monitor {
	p := &apiv1.Monitor{
		Name: m.Name, Module: m.Path, Args: m.Args, Digest: m.Digest, ModuleName: m.ModuleName,
		ModuleVersion: m.ModuleVersion, Builtin: m.Builtin, State: "stopped", Options: optionsToProto(m.Options),
	}
	var last time.Time
	for _, sp := range s.cfg.Spoolers() {
		v, ok := sp.Monitor(m.Name)
		if !ok {
			continue
		}
		p.State, p.Reason = v.State, v.Reason
		if v.LastErrorAt.After(last) {
			last, p.LastError, p.LastErrorAt = v.LastErrorAt, v.LastError, stamp(v.LastErrorAt)
		}
		addProcess(p, sp.Name(), v)
	}
	return p
}

// addProcess adds a spooler's process, or the spooler to a process that it shares.
func addProcess(m *apiv1.Monitor, spoolerName string, v spooler.MonitorView) {
	if v.Process == nil {
		return
	}
	for _, p := range m.Processes {
		if p.Incarnation == v.Process.Incarnation {
			p.Spoolers = append(p.Spoolers, spoolerName)
			p.Handles += uint32(v.Handles)
			return
		}
	}
	p := &apiv1.Process{
		Pid: int32(v.Process.PID), Spoolers: []string{spoolerName}, Incarnation: v.Process.Incarnation,
		StartedAt: stamp(v.Process.Started), Restarts: v.Restarts, Handles: uint32(v.Handles),
		Confinement: v.Process.Confinement(),
	}
	if u, ok := v.Process.Usage(); ok {
		p.MemoryBytes, p.CpuTime, p.OpenFiles = u.MemoryBytes, durationpb.New(u.CPU), uint32(u.Files)
	}
	for _, l := range v.Log {
		p.Log = append(p.Log, l.Time.UTC().Format("15:04:05.000")+" "+l.Level+" "+l.Text)
	}
	m.Processes = append(m.Processes, p)
}

func optionsToProto(o catalog.Options) *apiv1.MonitorOptions {
	isolation := string(catalog.PerSpooler)
	if o.Isolation != "" {
		isolation = string(o.Isolation)
	}
	return &apiv1.MonitorOptions{
		Isolation: &isolation, CallTimeout: duration(o.CallTimeout), ResourceTimeout: duration(o.ResourceTimeout),
		KillGrace: duration(o.KillGrace), User: nonZero(o.Limits.User), MemoryBytes: nonZero(o.Limits.MemoryBytes),
		Processes: nonZero(o.Limits.Processes), Files: nonZero(o.Limits.Files),
	}
}

// changeOptions takes over what a request sets.
func changeOptions(o *catalog.Options, r *apiv1.MonitorOptions) {
	if r.GetIsolation() != "" {
		o.Isolation = catalog.Isolation(r.GetIsolation())
	}
	for _, d := range []struct {
		from *durationpb.Duration
		to   *time.Duration
	}{{r.GetCallTimeout(), &o.CallTimeout}, {r.GetResourceTimeout(), &o.ResourceTimeout}, {r.GetKillGrace(), &o.KillGrace}} {
		if d.from != nil {
			*d.to = d.from.AsDuration()
		}
	}
	setIf(&o.Limits.User, r.GetUser(), r != nil && r.User != nil)
	setIf(&o.Limits.MemoryBytes, r.GetMemoryBytes(), r != nil && r.MemoryBytes != nil)
	setIf(&o.Limits.Processes, r.GetProcesses(), r != nil && r.Processes != nil)
	setIf(&o.Limits.Files, r.GetFiles(), r != nil && r.Files != nil)
}

func setIf[T any](to *T, value T, set bool) {
	if set {
		*to = value
	}
}

func nonZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// duration leaves 0, which is a default, out.
func duration(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

func timeoutsToProto(l portmon.Limits) *apiv1.PortTimeouts {
	if l == (portmon.Limits{}) {
		return nil
	}
	return &apiv1.PortTimeouts{CallTimeout: duration(l.Call), ResourceTimeout: duration(l.Resource), KillGrace: duration(l.Grace)}
}

func portLimitsFromProto(t *apiv1.PortTimeouts) spooler.PortLimits {
	given := func(d *durationpb.Duration) *time.Duration {
		if d == nil {
			return nil
		}
		v := d.AsDuration()
		return &v
	}
	return spooler.PortLimits{
		Call: given(t.GetCallTimeout()), Resource: given(t.GetResourceTimeout()), Grace: given(t.GetKillGrace()),
	}
}
