//go:build linux

package catalog

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func shared(m Monitor) Monitor {
	m.Options.Isolation = Shared
	return m
}

// TestSharedProcess: two spoolers, one process, and nothing else in common.
func TestSharedProcess(t *testing.T) {
	f := newFixture(t)
	m := shared(f.add(t, "puppet"))
	var one, two recorder
	a, b := f.bind(t, m, "one", &one), f.bind(t, m, "two", &two)
	if a.Process != b.Process || a.Shared() != 2 {
		t.Fatalf("processes %d and %d, shared by %d", a.Process.PID, b.Process.PID, a.Shared())
	}
	for _, i := range []*Instance{a, b} {
		_, err := do(t, i, "setjob", "")
		check(t, err)
		_, err = do(t, i, "registry", "")
		check(t, err)
	}
	if len(one.jobs) != 1 || len(two.jobs) != 1 {
		t.Errorf("reports %v and %v", one.jobs, two.jobs)
	}

	check(t, a.Shutdown(deadline(t)))
	a.Revoke()
	a.Stop(deadline(t), "its spooler stops")
	if _, err := do(t, b, "setjob", ""); err != nil || len(two.jobs) != 2 {
		t.Errorf("the other instance: %v, reports %v", err, two.jobs)
	}
	select {
	case <-a.Released():
	default:
		t.Error("a stopped instance is not released")
	}
	pid := b.Process.PID
	b.Stop(deadline(t), "its spooler stops too")
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the process outlived its last instance")
	}
}

// TestSharedProcessAfterShutdown: what the module still calls with the handle of an
// instance that was shut down is refused, while another instance works.
func TestSharedProcessAfterShutdown(t *testing.T) {
	f := newFixture(t)
	m := shared(f.add(t, "puppet"))
	var one, two recorder
	a, b := f.bind(t, m, "one", &one), f.bind(t, m, "two", &two)
	x, err := a.XcvOpenPort(deadline(t), "", 0)
	check(t, err)
	a.Revoke()
	for _, what := range []string{"setjob", "setport", "query"} {
		if _, err := x.Data(deadline(t), what, nil); spoolerr.KindOf(err) != spoolerr.BadHandle {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := do(t, b, what, ""); err != nil {
			t.Errorf("%s of the other instance: %v", what, err)
		}
	}
	if len(one.jobs)+len(one.ports) != 0 {
		t.Errorf("%v %v", one.jobs, one.ports)
	}
}

// TestSharedProcessEnds: when it dies all instances end, and those that come next share
// another one.
func TestSharedProcessEnds(t *testing.T) {
	f := newFixture(t)
	m := shared(f.add(t, "puppet"))
	a, b := f.bind(t, m, "one", &recorder{}), f.bind(t, m, "two", &recorder{})
	check(t, syscall.Kill(a.Process.PID, syscall.SIGKILL))
	<-a.Released()
	<-b.Released()
	if a.Err() == nil || !errors.Is(b.Err(), spoolerr.Exited) {
		t.Errorf("%v, %v", a.Err(), b.Err())
	}
	c, d := f.bind(t, m, "one", &recorder{}), f.bind(t, m, "two", &recorder{})
	if c.Process == a.Process || c.Process != d.Process {
		t.Errorf("processes %d, %d after %d", c.Process.PID, d.Process.PID, a.Process.PID)
	}
	f.Renew("PUPPET")
	e := f.bind(t, m, "three", &recorder{})
	if e.Process == c.Process {
		t.Error("an instance joined a process that is to be replaced")
	}
}

// TestSharedProcessRefusesOne: an instance that is not initialised leaves the others.
func TestSharedProcessRefusesOne(t *testing.T) {
	f := newFixture(t)
	m := shared(f.add(t, "puppet"))
	a := f.bind(t, m, "one", &recorder{})
	_, err := f.Bind(deadline(t), m, For{Spooler: "refused", Root: f.registry.Hive("refused").Root("x", registry.Limit{}), Callbacks: &recorder{}})
	wantError(t, err, spoolerr.Denied, spoolerr.CodeAccessDenied)
	if _, err := do(t, a, "query", ""); err != nil || a.Shared() != 1 {
		t.Errorf("%v, shared by %d", err, a.Shared())
	}
}

// TestUnconverted: a monitor without InitializePrintMonitor2 serves the node's spooler,
// and a cluster's refuses it with what is missing and what to do.
func TestUnconverted(t *testing.T) {
	f := newFixture(t)
	m, err := f.Add(deadline(t), "old", self(t), nil, "", mode("unconverted"))
	check(t, err)
	var node recorder
	i := f.bind(t, m, "node", &node)
	if keys, err := f.registry.Hive("node").SubKeys(context.Background(), `Monitors\old`); err != nil || len(keys) != 1 || len(node.ports) != 1 {
		t.Errorf("keys %v, %v; reports %v", keys, err, node.ports)
	}
	_, err = i.XcvOpenPort(deadline(t), "", spool.ServerAccessAdminister)
	check(t, err)

	_, err = f.Bind(deadline(t), m, For{Spooler: "NTPRINT", Root: f.registry.Hive("NTPRINT").Root("x", registry.Limit{}), Callbacks: &recorder{}})
	wantError(t, err, spoolerr.Unsupported, spoolerr.CodeNotSupported)
	for _, want := range []string{`"old"`, "InitializePrintMonitor2", "NTPRINT", "monitor upgrade"} {
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	_, err = f.Bind(deadline(t), shared(m), For{Spooler: "node", Local: true, Root: f.registry.Hive("node").Root("x", registry.Limit{}), Callbacks: &recorder{}})
	wantError(t, err, spoolerr.Invalid, spoolerr.CodeNotSupported)
}

// TestChanges: options and versions are stored, checked, and read again.
func TestChanges(t *testing.T) {
	builtin := Monitor{Name: "brought", Path: self(t), Args: []string{"-test.run=^$"}, Env: []string{mode("monitor")}}
	f := newFixture(t, builtin)
	f.add(t, "puppet")
	for _, name := range []string{"puppet", "brought"} {
		m, err := f.WithOptions(name, func(o *Options) { o.Isolation, o.Limits.Files = Shared, 100 })
		check(t, err)
		check(t, f.Replace(deadline(t), m))
	}
	if problems := f.reopen(t, builtin); len(problems) > 0 {
		t.Errorf("problems %v", problems)
	}
	for _, m := range f.List() {
		if m.Options.Isolation != Shared || m.Options.Limits.Files != 100 {
			t.Errorf("%+v", m)
		}
	}
	_, err := f.WithOptions("puppet", func(o *Options) { o.Isolation = "none" })
	wantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidParameter)
	_, err = f.WithOptions("puppet", func(o *Options) { o.Limits.MemoryBytes = 5 })
	wantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidParameter)
	_, err = f.Upgraded(deadline(t), "brought", Upgrade{Path: self(t)})
	wantError(t, err, spoolerr.Precondition, spoolerr.CodeNotSupported)
	_, err = f.Upgraded(deadline(t), "puppet", Upgrade{Path: "/bin/true"})
	wantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor)
	_, err = f.Upgraded(deadline(t), "nobody", Upgrade{Path: self(t)})
	wantError(t, err, spoolerr.NotFound, spoolerr.CodeUnknownPrintMonitor)
}
