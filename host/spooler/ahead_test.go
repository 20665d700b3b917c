package spooler_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

const (
	earlyArg     = "spoolhost-early-monitor"
	standsByArg  = "stands-by"
	earlyJournal = "EARLY_JOURNAL"
)

// serveEarly makes the test binary a monitor that notes when it is initialised, if it was
// started as one.
func serveEarly() {
	if len(os.Args) < 3 || os.Args[1] != earlyArg {
		return
	}
	var opts []monitor.Option
	if os.Args[2] == standsByArg {
		opts = append(opts, monitor.StandsBy())
	}
	monitor.Serve(func(ctx context.Context, init monitor.Init) (monitor.Monitor, error) {
		f, err := os.OpenFile(os.Getenv(earlyJournal), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if _, err := fmt.Fprintf(f, "%s %s %d\n", init.ServerName, init.MonitorName, os.Getpid()); err != nil {
			return nil, err
		}
		return mockmonitor.New(mockmonitor.Options{}).Initialize(ctx, init)
	}, opts...)
}

// early gives two such monitors: one that stands by, and one that does not.
func early(t *testing.T) (journal string, monitors []catalog.Monitor) {
	journal = filepath.Join(t.TempDir(), "journal")
	for _, name := range []string{"Early", "Late"} {
		m := catalogMonitor(name, earlyArg)
		m.Env = []string{earlyJournal + "=" + journal}
		if m.Args = append(m.Args, "waits"); name == "Early" {
			m.Args[1] = standsByArg
		}
		monitors = append(monitors, m)
	}
	return journal, monitors
}

// initialized gives the processes in which a monitor was initialised for a spooler.
func (n *node) initialized(journal, server, monitorName string) (pids []int) {
	data, err := os.ReadFile(journal)
	if err != nil && !os.IsNotExist(err) {
		n.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var s, m string
		var pid int
		if _, err := fmt.Sscan(line, &s, &m, &pid); err == nil && s == server && m == monitorName {
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestGetReady: before it owns a spooler a node initialises the monitors that stand by, and
// no others; the owner prints with those very processes. What is not needed is ended.
func TestGetReady(t *testing.T) {
	t.Parallel()
	journal, monitors := early(t)
	n := boot(t, withMonitors(monitors...))
	const server = "NTPRINT"
	sink := newSink(t)
	s, stop := n.cluster(server)
	for _, m := range monitors {
		n.ok(s.AddPort(t.Context(), m.Name, m.Name, map[string]string{"to": sink.to()}))
		n.ok(s.AddPrinter(t.Context(), m.Name, spooler.Settings{Ports: []string{m.Name}}))
	}
	stop()
	for _, m := range monitors {
		if got := n.initialized(journal, server, m.Name); len(got) != 1 {
			t.Fatalf("monitor %s was initialised in %v", m.Name, got)
		}
	}

	cfg, giveBack := n.clusterConfig(server)
	vain, err := spooler.Load(t.Context(), cfg)
	n.ok(err)
	vain.GetReady()
	n.until("the monitor that stands by is initialised", func() bool { return len(n.initialized(journal, server, "Early")) == 2 })
	vain.Discard()
	n.until("its process has ended", func() bool { return !alive(n.initialized(journal, server, "Early")[1]) })

	s, err = spooler.Load(t.Context(), cfg)
	n.ok(err)
	s.GetReady()
	n.until("the monitor that stands by is initialised again", func() bool { return len(n.initialized(journal, server, "Early")) == 3 })
	if got := n.initialized(journal, server, "Late"); len(got) != 1 {
		t.Errorf("a monitor that does not stand by was initialised before the spooler was owned: %v", got)
	}
	n.own(s, giveBack)
	for _, m := range monitors {
		j, err := s.Submit(t.Context(), spooler.Submission{Printer: m.Name, User: "ann", Title: "x"}, bytes.NewReader(paper(m.Name, 1000)))
		n.ok(err)
		n.until("it is printed by "+m.Name, func() bool {
			j, err := s.Queue().Get(t.Context(), j.ID)
			return err == nil && j.State == job.Printed
		})
		view, _ := s.Monitor(m.Name)
		got := n.initialized(journal, server, m.Name)
		if view.Process == nil || view.Process.PID != got[len(got)-1] {
			t.Errorf("monitor %s prints in %+v, and was initialised in %v", m.Name, view.Process, got)
		}
	}
	if early, late := n.initialized(journal, server, "Early"), n.initialized(journal, server, "Late"); len(early) != 3 || len(late) != 2 {
		t.Errorf("initialised in %v and %v", early, late)
	}
	if ports := s.Ports(); len(ports) != 2 || spool.Fold(ports[0].Name) != "early" {
		t.Errorf("%+v", ports)
	}
}
