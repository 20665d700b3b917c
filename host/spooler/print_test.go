package spooler_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func ptr[T any](v T) *T { return &v }

func TestPrint(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("P1", "to", dev.to(), "short", "70000")
	n.printer("hall", "P1")
	data := paper("a", 1<<20)
	id := n.submit("HALL", data)
	j := n.state(id, job.Printed)
	n.outcomes(id, job.Sent)
	if a := j.Attempts[0]; a.BytesSent != int64(len(data)) || a.Port != "P1" || a.Monitor != monitorName || a.Incarnation == 0 {
		t.Errorf("%+v", a)
	}
	dev.wantWhole(data, 1)
	n.until("the document is removed", func() bool { return len(n.documents()) == 0 })
}

func TestPool(t *testing.T) {
	n := boot(t, nil)
	one, two := newShutSink(t), newShutSink(t)
	n.port("A", "to", one.to())
	n.port("B", "to", two.to())
	n.printer("pool", "A", "B")
	first, second, third := n.submit("pool", paper("1", big)), n.submit("pool", paper("2", big)), n.submit("pool", paper("3", 10))
	n.sending(first)
	n.sending(second)
	if j := n.job(third); j.State != job.Queued {
		t.Errorf("a third document on two ports: %+v", j)
	}
	two.open()
	n.printed(third) // after the second, while the first is still held back
	one.open()
	n.printed(first, second)
}

// A port that cannot be opened must not keep the jobs of its pool from the other ports.
func TestPoolWithABrokenPort(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("A", "fail", "open")
	n.port("B", "to", dev.to())
	n.printer("pool", "A", "B")
	for range 3 {
		n.printed(n.submit("pool", paper("x", 100)))
	}
}

func TestTwoPrintersShareAPort(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("low", "A")
	n.printer("high", "A")
	n.set("high", spooler.Settings{Priority: ptr[uint32](50)})
	first := n.submit("low", paper("first", big))
	n.sending(first)
	low, high := n.submit("low", paper("low", 10)), n.submit("high", paper("high", 10))
	dev.open()
	n.printed(first, low, high)
	if got := dev.texts(); !slices.Equal(got, []string{"first", "high", "low"}) {
		t.Errorf("printed %v", got)
	}
}

func TestPauseResumePurge(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	running := n.submit("p", paper("running", big))
	n.sending(running)
	n.ok(n.node().PausePrinter(t.Context(), "p"))
	waiting := n.submit("p", paper("waiting", 10))
	dev.open()
	n.printed(running) // a pause starts nothing, and stops nothing
	n.until("the printer is paused", func() bool {
		v, _ := n.node().Printer("p")
		return v.State == "paused" && v.Jobs == 1
	})
	n.restart()
	if j := n.job(waiting); j.State != job.Queued {
		t.Errorf("%+v: a pause outlives the host", j)
	}
	n.ok(n.node().ResumePrinter(t.Context(), "p"))
	n.printed(waiting)
	n.ok(n.node().PausePrinter(t.Context(), "p"))
	a, b := n.submit("p", paper("a", 10)), n.submit("p", paper("b", 10))
	if count, err := n.node().PurgePrinter(t.Context(), "p", "ann"); count != 2 || err != nil {
		t.Errorf("%d %v", count, err)
	}
	n.state(a, job.Cancelled)
	n.state(b, job.Cancelled)
	n.until("documents are removed", func() bool { return len(n.documents()) == 0 })
	n.ok(n.node().DeletePrinter(t.Context(), "p"))
}

func TestPriorities(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	n.ok(n.node().PausePrinter(t.Context(), "p"))
	var ids []uint64
	for _, s := range []struct {
		name     string
		priority uint32
	}{{"a1", 1}, {"b50", 50}, {"c1", 0}, {"d99", 99}, {"e50", 50}} {
		ids = append(ids, n.submitAs(spooler.Submission{Printer: "p", Priority: s.priority}, paper(s.name, 10)))
	}
	n.ok(n.node().ResumePrinter(t.Context(), "p"))
	n.printed(ids...)
	if got := dev.texts(); !slices.Equal(got, []string{"d99", "b50", "e50", "a1", "c1"}) {
		t.Errorf("printed %v", got)
	}
	for _, bad := range []uint32{100, 1 << 30} {
		if _, err := n.node().Submit(t.Context(), spooler.Submission{Printer: "p", Priority: bad}, nil); !errors.Is(err, spoolerr.CodeInvalidPriority) {
			t.Errorf("priority %d: %v", bad, err)
		}
	}
}

func TestHoldRelease(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	held := n.submitAs(spooler.Submission{Printer: "p", Hold: true}, paper("held", 10))
	running := n.submit("p", paper("running", big))
	n.sending(running)
	n.ok(n.node().HoldJob(t.Context(), running, "ann"))
	n.state(running, job.Held)
	n.outcomes(running, job.Stopped)
	n.ok(n.node().ReleaseJob(t.Context(), held, "ann"))
	dev.open()
	n.printed(held)
	n.ok(n.node().ReleaseJob(t.Context(), running, "ann"))
	n.printed(running)
	n.outcomes(running, job.Stopped, job.Sent)
	dev.wantWhole(paper("running", big), 1)
}

func TestCancel(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	running, queued, next := n.submit("p", paper("running", big)), n.submit("p", paper("queued", 10)), n.submit("p", paper("next", 10))
	n.sending(running)
	n.ok(n.node().CancelJob(t.Context(), queued, "ann"))
	n.state(queued, job.Cancelled)
	n.ok(n.node().CancelJob(t.Context(), running, "ann"))
	n.state(running, job.Cancelled) // long before the resource time-out
	n.outcomes(running, job.AttemptCancelled)
	dev.open()
	n.printed(next)
	if err := n.node().CancelJob(t.Context(), running, "ann"); !errors.Is(err, spoolerr.Precondition) {
		t.Errorf("%v", err)
	}
	if v, _ := n.node().Monitor(monitorName); v.Restarts != 0 {
		t.Errorf("cancelling restarted the module %d times", v.Restarts)
	}
	n.until("documents are removed", func() bool { return len(n.documents()) == 0 })
}

func TestRestart(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	n.set("p", spooler.Settings{KeepPrinted: ptr(true)})
	data := paper("again", big)
	id := n.submit("p", data)
	n.sending(id)
	n.ok(n.node().RestartJob(t.Context(), id, "ann"))
	n.await(id, "in its second attempt", func(j *job.Job) bool { return len(j.Attempts) == 2 })
	dev.open()
	n.printed(id)
	n.outcomes(id, job.Stopped, job.Sent)
	n.ok(n.node().RestartJob(t.Context(), id, "ann")) // its document was kept
	n.await(id, "printed again", func(j *job.Job) bool { return j.State == job.Printed && len(j.Attempts) == 3 })
	dev.wantWhole(data, 2)
	n.set("p", spooler.Settings{KeepPrinted: ptr(false)})
	gone := n.submit("p", paper("gone", 10))
	n.printed(gone)
	if err := n.node().RestartJob(t.Context(), gone, "ann"); !errors.Is(err, spoolerr.CodeSpoolFileNotFound) {
		t.Errorf("%v", err)
	}
}

func TestMove(t *testing.T) {
	n, dev, other := boot(t, nil), newShutSink(t), newSink(t)
	n.port("A", "to", dev.to())
	n.port("B", "to", other.to())
	n.printer("p", "A")
	n.printer("q", "B")
	running, queued := n.submit("p", paper("running", big)), n.submit("p", paper("queued", 10))
	n.sending(running)
	n.ok(n.node().MoveJob(t.Context(), queued, "Q", "ann"))
	n.printed(queued)
	n.ok(n.node().MoveJob(t.Context(), running, "q", "ann"))
	n.printed(running)
	if got := other.texts(); !slices.Equal(got, []string{"queued", "running"}) || n.job(running).Printer != "q" {
		t.Errorf("printed %v", got)
	}
	n.outcomes(running, job.Stopped, job.Sent)
	if err := n.node().MoveJob(t.Context(), running, "nowhere", "ann"); !errors.Is(err, spoolerr.CodeInvalidPrinterName) {
		t.Errorf("%v", err)
	}
}

// A job that was moved while its old port hung in OpenPort prints at its new printer only.
func TestMoveWhileThePortOpens(t *testing.T) {
	n := boot(t, func(c *host.Config) { c.Limits.Call = 2 * time.Second })
	dev := newSink(t)
	flag := filepath.Join(n.dir, "hang")
	n.port("A", "to", dev.to(), "hang", "open", "obeys", "yes", "while", flag)
	n.port("B", "to", dev.to())
	n.ok(os.WriteFile(flag, nil, 0o600))
	n.printer("p", "A")
	n.printer("q", "B")
	id := n.submit("p", paper("moved", 10))
	n.ok(n.node().MoveJob(t.Context(), id, "q", "ann"))
	n.printed(id)
	if a := n.job(id).Attempts; len(a) != 1 || a[0].Port != "B" {
		t.Errorf("%+v", a)
	}
}

// A clock that stands just before the opening shows that the timers work.
func TestHours(t *testing.T) {
	var ahead atomic.Int64 // of the real clock
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	n, dev := boot(t, func(c *host.Config) { c.Now = clock }), newSink(t)
	noon := time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)
	ahead.Store(int64(time.Until(noon.Add(-500 * time.Millisecond))))
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	early := n.submitAs(spooler.Submission{Printer: "p", StartTime: 13 * 60, UntilTime: 14 * 60}, paper("later", 10))
	timed := n.submitAs(spooler.Submission{Printer: "p", StartTime: 12 * 60, UntilTime: 13 * 60}, paper("timed", 10))
	always := n.submit("p", paper("always", 10))
	n.printed(always, timed)
	if j := n.job(early); j.State != job.Queued {
		t.Errorf("%+v", j)
	}
}
