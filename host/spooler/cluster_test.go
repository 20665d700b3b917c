package spooler_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// serveUnconverted makes the test binary an unconverted monitor, if it was started as one.
func serveUnconverted() {
	if len(os.Args) > 1 && os.Args[1] == unconvertedArg {
		monitor.ServeV1(func(_ context.Context, init monitor.InitV1) (monitor.Unconverted, error) {
			return &unconverted{init}, nil
		}, monitor.Name("old monitor"), monitor.Version("1"))
	}
}

const (
	unconvertedArg  = "spoolhost-unconverted-monitor"
	unconvertedName = "Old Monitor"
	oldPort         = "OLD:"
)

// unconverted has one port, which drops what it gets.
type unconverted struct{ monitor.InitV1 }

func (u *unconverted) EnumPorts(context.Context) ([]spool.PortInfo, error) {
	return []spool.PortInfo{{Name: oldPort, Type: spool.PortTypeWrite}}, nil
}

func (u *unconverted) OpenPort(context.Context, string) (monitor.Port, error) { return u, nil }

func (u *unconverted) StartDoc(ctx context.Context, doc spool.Doc) error {
	_, err := u.Registry.QueryInfoKey(ctx)
	if err == nil {
		err = u.Spooler.SetPort(ctx, oldPort, spool.PortStatus{Text: "job for " + doc.User, Severity: spool.SeverityInfo})
	}
	return err
}
func (u *unconverted) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }
func (u *unconverted) Close(context.Context) error                    { return nil }
func (u *unconverted) EndDoc(ctx context.Context, _ spool.JobStatus) error {
	return u.Spooler.SetJob(ctx, 1, spool.JobControlSentToPrinter)
}

// cluster runs a cluster spooler beside the node's, on the same monitors.
func (n *node) cluster(name string) (s *spooler.Spooler, stop func()) {
	n.Helper()
	cfg, giveBack := n.clusterConfig(name)
	s, err := spooler.Load(n.Context(), cfg)
	n.ok(err)
	return s, n.own(s, giveBack)
}

// clusterConfig opens what a cluster spooler has, which a second call for it finds again.
func (n *node) clusterConfig(name string) (cfg spooler.Config, giveBack func()) {
	n.Helper()
	dir := filepath.Join(n.dir, name)
	n.ok(os.MkdirAll(dir, 0o700))
	db, err := store.OpenBolt(filepath.Join(dir, "db"), store.Options{})
	n.ok(err)
	docs, err := document.Open(filepath.Join(dir, "documents"), document.Options{})
	n.ok(err)
	events, err := eventlog.Open(filepath.Join(dir, "events"), eventlog.Options{})
	n.ok(err)
	logged := make(chan struct{})
	life, end := context.WithCancel(context.Background())
	go func() {
		defer close(logged)
		_ = events.Run(life)
	}()
	limits := n.config()
	cfg = spooler.Config{
		Name: name, Catalog: n.host.Catalog(), Registry: registry.New(db, registry.Options{}), Queue: job.NewOwner(db, name, time.Now), Documents: docs,
		Events: events, Logger: hclog.NewNullLogger(), Limits: limits.Limits, Retention: limits.Retention, Now: time.Now,
	}
	return cfg, func() {
		end()
		<-logged
		cfg.Queue.Close()
		for _, err := range []error{events.Close(), docs.Close(), db.Close()} {
			n.ok(err)
		}
	}
}

// own takes a cluster spooler over and runs it until stop.
func (n *node) own(s *spooler.Spooler, giveBack func()) (stop func()) {
	n.Helper()
	_, err := s.Queue().Own(n.Context(), 1)
	n.ok(err)
	n.ok(s.Settle(n.Context()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
		giveBack()
	})
	n.Cleanup(stop)
	s.WaitStarted(n.Context())
	return stop
}

// TestUnconvertedMonitor: the node's spooler prints with it; a cluster's goes online
// without it, and says what is missing and what to do.
func TestUnconvertedMonitor(t *testing.T) {
	old := catalogMonitor(unconvertedName, unconvertedArg)
	n := boot(t, withMonitors(catalogMonitor(monitorName, ""), old))
	n.printer("p", oldPort)
	id := n.submit("p", paper("x", 1000))
	n.printed(id)

	s, _ := n.cluster("NTPRINT")
	if !s.Dormant(unconvertedName) || s.State() != "online" {
		t.Errorf("a monitor that nothing needs is started: %s, %v", s.State(), s.Problems())
	}
	if err := s.AddPort(t.Context(), "X", unconvertedName, nil); err == nil {
		t.Error("an unconverted monitor has added a port to a cluster spooler")
	}
	var v spooler.MonitorView
	n.until("the cluster spooler has refused the monitor", func() bool {
		v, _ = s.Monitor(unconvertedName)
		return v.LastError != ""
	})
	n.until("it is given up at once", func() bool {
		v, _ = s.Monitor(unconvertedName)
		return v.State == "quarantined"
	})
	if v.State == "running" || v.Process != nil {
		t.Errorf("a cluster spooler runs an unconverted monitor: %+v", v)
	}
	for _, want := range []string{unconvertedName, "InitializePrintMonitor2", "NTPRINT", "monitor upgrade"} {
		if !strings.Contains(v.LastError, want) {
			t.Errorf("%q does not say %q", v.LastError, want)
		}
	}
	if state := s.State(); state != "online-incomplete" {
		t.Errorf("the cluster spooler is %s: %v", state, s.Problems())
	}
	n.ok(s.AddPort(t.Context(), "A", monitorName, nil))
	n.ok(s.AddPrinter(t.Context(), "q", spooler.Settings{Ports: []string{"A"}}))
}

// TestSharedMonitor: one process serves two spoolers, whose ports, settings and jobs stay
// apart; one stops and the other prints on.
func TestSharedMonitor(t *testing.T) {
	shared := catalogMonitor(monitorName, "")
	shared.Options.Isolation = catalog.Shared
	n := boot(t, withMonitors(shared))
	ours, theirs := newSink(t), newSink(t)
	n.port("A", "to", ours.to())
	n.printer("p", "A")
	s, stop := n.cluster("NTPRINT")
	pid, _ := n.process()
	if v, _ := s.Monitor(monitorName); v.State != "dormant" {
		t.Errorf("nothing needs the monitor, and it is %+v", v)
	}
	if err := s.AddPrinter(t.Context(), "p", spooler.Settings{Ports: []string{"A"}}); spoolerr.KindOf(err) != spoolerr.NotFound {
		t.Errorf("a printer of the node's port: %v", err)
	}
	if ports := s.Ports(); len(ports) > 0 {
		t.Errorf("the node's port is in the cluster spooler: %+v", ports)
	}
	n.ok(s.AddPort(t.Context(), "A", monitorName, map[string]string{"to": theirs.to()}))
	if v, _ := s.Monitor(monitorName); v.Process == nil || v.Process.PID != pid {
		t.Fatalf("the cluster spooler has a process of its own: %+v", v)
	}
	n.ok(s.AddPrinter(t.Context(), "p", spooler.Settings{Ports: []string{"A"}}))
	mine, yours := paper("ours", 100_000), paper("theirs", 100_000)
	id := n.submit("p", mine)
	other, err := s.Submit(t.Context(), spooler.Submission{Printer: "p", User: "bob", Title: "x"}, bytes.NewReader(yours))
	n.ok(err)
	n.printed(id)
	n.until("the cluster spooler's job is printed", func() bool {
		j, err := s.Queue().Get(t.Context(), other.ID)
		return err == nil && j.State == job.Printed
	})
	ours.wantWhole(mine, 1)
	ours.wantWhole(yours, 0)
	theirs.wantWhole(yours, 1)
	stop()
	next := n.submit("p", mine)
	n.printed(next)
	if now, _ := n.process(); now != pid {
		t.Errorf("the process ended with one of its spoolers")
	}
}
