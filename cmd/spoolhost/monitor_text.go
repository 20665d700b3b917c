package main

import (
	"fmt"
	"strings"

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
	s.add("isolation", m.GetIsolation())
	s.write(b)
	showProcesses(b, m.GetProcesses())
}

func showProcesses(b *strings.Builder, processes []*apiv1.Process) {
	if len(processes) == 0 {
		b.WriteString("\nno processes\n")
		return
	}
	b.WriteByte('\n')
	t := table{header: []string{"PID", "SPOOLER", "INCARNATION", "STARTED", "RESTARTS"}}
	for _, p := range processes {
		t.add(fmt.Sprint(p.GetPid()), p.GetSpooler(), fmt.Sprint(p.GetIncarnation()),
			localTime(p.GetStartedAt()), fmt.Sprint(p.GetRestarts()))
	}
	t.write(b, "")
	for _, p := range processes {
		if len(p.GetLog()) == 0 {
			continue
		}
		fmt.Fprintf(b, "\nLog of pid %d:\n", p.GetPid())
		for _, line := range p.GetLog() {
			b.WriteString("  " + clean(line) + "\n")
		}
	}
}
