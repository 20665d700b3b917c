package main

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// state says a state, and why where there is a reason.
func state(state, reason string) string {
	if reason == "" {
		return state
	}
	return state + " (" + reason + ")"
}

func monitorRow(m *apiv1.Monitor) []string {
	module := m.GetModule()
	if m.GetBuiltin() {
		module = "built in"
	}
	return []string{
		m.GetName(), m.GetState(), orDash(m.GetModuleVersion()), fmt.Sprint(len(m.GetProcesses())), module,
		cut(clean(m.GetReason()), 60),
	}
}

func showMonitor(b *strings.Builder, m *apiv1.Monitor) {
	var s sheet
	s.add("monitor", m.GetName())
	s.add("state", state(m.GetState(), m.GetReason()))
	s.add("module", strings.TrimSpace(m.GetModuleName()+" "+m.GetModuleVersion()))
	if m.GetBuiltin() {
		s.add("file", "built into the host")
	} else {
		s.add("file", m.GetModule())
	}
	s.add("arguments", strings.Join(m.GetArgs(), " "))
	s.add("sha-256", m.GetDigest())
	addOptions(&s, m.GetOptions())
	if m.GetLastError() != "" {
		s.add("last error", localTime(m.GetLastErrorAt())+" "+m.GetLastError())
	}
	s.write(b)
	showProcesses(b, m.GetProcesses())
}

func showProcesses(b *strings.Builder, processes []*apiv1.Process) {
	if len(processes) == 0 {
		b.WriteString("\nno processes\n")
		return
	}
	b.WriteByte('\n')
	t := table{header: []string{"PID", "SPOOLERS", "INCARNATION", "UPTIME", "RESTARTS", "HANDLES", "MEMORY", "CPU", "FILES"}}
	for _, p := range processes {
		t.add(fmt.Sprint(p.GetPid()), strings.Join(p.GetSpoolers(), ", "), fmt.Sprint(p.GetIncarnation()),
			uptime(p.GetStartedAt()), fmt.Sprint(p.GetRestarts()), fmt.Sprint(p.GetHandles()),
			known(p.GetMemoryBytes() > 0, mebibytes(p.GetMemoryBytes())),
			known(p.GetCpuTime() != nil, p.GetCpuTime().AsDuration().Round(time.Millisecond).String()),
			known(p.GetOpenFiles() > 0, fmt.Sprint(p.GetOpenFiles())))
	}
	t.write(b, "")
	for _, p := range processes {
		showConfinement(b, p)
		showLog(b, p)
	}
}

func known(is bool, text string) string {
	if !is {
		return "-"
	}
	return text
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func uptime(since *timestamppb.Timestamp) string {
	return time.Since(since.AsTime()).Round(time.Second).String()
}

func showConfinement(b *strings.Builder, p *apiv1.Process) {
	if len(p.GetConfinement()) == 0 {
		return
	}
	fmt.Fprintf(b, "\nConfinement of pid %d:\n", p.GetPid())
	for _, line := range p.GetConfinement() {
		b.WriteString("  " + clean(line) + "\n")
	}
}

func showLog(b *strings.Builder, p *apiv1.Process) {
	if len(p.GetLog()) == 0 {
		return
	}
	fmt.Fprintf(b, "\nLog of pid %d:\n", p.GetPid())
	for _, line := range p.GetLog() {
		b.WriteString("  " + clean(line) + "\n")
	}
}

// addOptions says what an operator chose for a monitor.
func addOptions(s *sheet, o *apiv1.MonitorOptions) {
	s.add("isolation", o.GetIsolation())
	addDurations(s, o.GetCallTimeout(), o.GetResourceTimeout(), o.GetKillGrace())
	s.add("user", o.GetUser())
	for _, l := range []struct {
		name string
		n    int64
	}{{"memory limit", o.GetMemoryBytes()}, {"process limit", o.GetProcesses()}, {"file limit", o.GetFiles()}} {
		if l.n != 0 {
			s.add(l.name, fmt.Sprint(l.n))
		}
	}
}
