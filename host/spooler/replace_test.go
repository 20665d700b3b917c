package spooler_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// version gives the test monitor with something that tells it from the one that runs.
func (n *node) version(v string) catalog.Monitor {
	m := hosttest.Monitor(monitorName)
	m.Builtin, m.Args = true, append(m.Args, v)
	digest, err := n.host.Catalog().Get(monitorName)
	n.ok(err)
	m.Digest = digest.Digest
	return m
}

func (n *node) replace(m catalog.Monitor) {
	n.Helper()
	r, err := n.node().PrepareReplacement(n.Context(), m, false)
	n.ok(err)
	r.Switch()
}

func (n *node) process() (pid int, incarnation uint64) {
	n.Helper()
	n.until("the monitor runs", func() bool {
		v, _ := n.node().Monitor(monitorName)
		if v.State != "running" {
			return false
		}
		pid, incarnation = v.Process.PID, v.Process.Incarnation
		return true
	})
	return pid, incarnation
}

func (n *node) gone(pid int) {
	n.Helper()
	n.until(fmt.Sprintf("process %d is gone", pid), func() bool { return !alive(pid) })
}

// TestReplaceLetsADocumentFinish: the document in print ends with the old process, which
// lives as long as it takes; what comes after it, and other ports, use the new one.
func TestReplaceLetsADocumentFinish(t *testing.T) {
	n := boot(t, func(c *host.Config) { c.Limits.Resource = time.Second }) // shorter than the document takes
	slow, quick := newShutSink(t), newSink(t)
	n.port("A", "to", slow.to())
	n.port("B", "to", quick.to())
	n.printer("p", "A")
	n.printer("q", "B")
	n.printed(n.submit("q", paper("before", 10)))
	oldPID, old := n.process()
	running, next := n.submit("p", paper("running", big)), n.submit("p", paper("next", 10))
	n.sending(running)
	n.replace(n.version("2"))
	other := n.submit("q", paper("other", 10))
	n.printed(other)
	newPID, fresh := n.process()
	if newPID == oldPID || n.job(other).Attempts[0].Incarnation != fresh {
		t.Errorf("job %d was printed by %+v, want incarnation %d", other, n.job(other).Attempts, fresh)
	}
	if !alive(oldPID) {
		t.Error("the old process has ended, and it still prints")
	}
	slow.open()
	n.printed(running, next)
	n.outcomes(running, job.Sent)
	n.outcomes(next, job.Sent)
	if a, b := n.job(running).Attempts[0], n.job(next).Attempts[0]; a.Incarnation != old || b.Incarnation != fresh {
		t.Errorf("incarnations %d and %d, want %d and %d", a.Incarnation, b.Incarnation, old, fresh)
	}
	n.gone(oldPID)
}

// TestReplaceUnderLoad: as many jobs come out as went in, in order, each once, while the
// monitor is replaced again and again.
func TestReplaceUnderLoad(t *testing.T) {
	n := boot(t, nil)
	const printers, jobs, versions = 3, 40, 5
	sinks := make([]*sink, printers)
	want := make([][]string, printers)
	var ids []uint64
	for i := range sinks {
		sinks[i] = newSink(t)
		n.port(fmt.Sprint("P", i), "to", sinks[i].to())
		n.printer(fmt.Sprint("q", i), fmt.Sprint("P", i))
	}
	for j := range jobs {
		for i := range sinks {
			name := fmt.Sprintf("%d-%d", i, j)
			ids = append(ids, n.submit(fmt.Sprint("q", i), paper(name, 50_000)))
			want[i] = append(want[i], name)
		}
		if j%(jobs/versions) == 0 {
			n.replace(n.version(fmt.Sprint(j)))
		}
	}
	n.printed(ids...)
	for i, s := range sinks {
		if got := s.texts(); !slices.Equal(got, want[i]) {
			t.Errorf("printer %d brought %v", i, got)
		}
	}
	for _, id := range ids {
		n.outcomes(id, job.Sent)
	}
}

// TestReplaceThatFails: a new version that does not start changes nothing.
func TestReplaceThatFails(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	before, _ := n.process()
	bad := n.version("2")
	bad.Args = []string{"-test.run", "nothing"} // a program, but no module
	_, err := n.node().PrepareReplacement(t.Context(), bad, false)
	if err == nil || !strings.Contains(err.Error(), monitorName) {
		t.Errorf("%v", err)
	}
	if _, err := n.node().PrepareReplacement(t.Context(), bad, true); err == nil {
		t.Error("a running monitor was given up for one that does not start")
	}
	if after, _ := n.process(); after != before {
		t.Errorf("process %d became %d", before, after)
	}
	n.printed(n.submit("p", paper("x", 10)))

	r, err := n.node().PrepareReplacement(t.Context(), n.version("3"), false)
	n.ok(err)
	if _, err := n.node().PrepareReplacement(t.Context(), n.version("4"), false); spoolerr.KindOf(err) != spoolerr.Busy {
		t.Errorf("two at once: %v", err)
	}
	r.Discard()
	if after, _ := n.process(); after != before {
		t.Errorf("process %d became %d", before, after)
	}
	n.replace(n.version("5"))
	n.gone(before)
	n.printed(n.submit("p", paper("y", 10)))
}

// TestReplaceWhileStopping: a host that stops in the middle ends both.
func TestReplaceWhileStopping(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	running := n.submit("p", paper("running", big))
	n.sending(running)
	old, _ := n.process()
	n.replace(n.version("2"))
	fresh, _ := n.process()
	dev.open()
	n.halt()
	n.gone(old)
	n.gone(fresh)
	n.start()
	n.printed(running)
	n.outcomes(running, job.Sent)
}

// TestPortLimits: what is said of a port holds for it alone, and after a restart.
func TestPortLimits(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("A", "hang", "write", "only", "1", "to", dev.to())
	n.printer("p", "A")
	short := 300 * time.Millisecond
	n.ok(n.node().SetPortLimits(t.Context(), "a", spooler.PortLimits{Resource: &short}))
	n.restart()
	if v, err := n.node().Port("A"); err != nil || v.Limits.Resource != short || v.Limits.Call != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	id := n.submit("p", paper("x", 10))
	n.printed(id)
	n.outcomes(id, job.TimedOut, job.Sent)
	none := time.Duration(0)
	n.ok(n.node().SetPortLimits(t.Context(), "A", spooler.PortLimits{Resource: &none}))
	if v, _ := n.node().Port("A"); v.Limits.Resource != 0 {
		t.Errorf("%+v", v)
	}
	if err := n.node().SetPortLimits(context.Background(), "B", spooler.PortLimits{}); spoolerr.KindOf(err) != spoolerr.NotFound {
		t.Errorf("%v", err)
	}
}
