package spooler_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func (n *node) create(sub spooler.Submission) uint64 {
	n.Helper()
	sub.User, sub.Title = "ann", "several"
	j, err := n.node().Create(n.Context(), sub)
	n.ok(err)
	if j.State != job.Incoming {
		n.Fatalf("a created job is %s", j.State)
	}
	return j.ID
}

func (n *node) add(id uint64, data []byte, last bool) {
	n.Helper()
	_, err := n.node().AddDocument(n.Context(), id, spooler.DocumentInfo{Name: "part", Format: "text/plain"}, bytes.NewReader(data), last)
	n.ok(err)
}

// Documents and copies print one after the other, each as a document of its own, and what
// has printed is not printed again.
func TestJobOfSeveralDocuments(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("P1", "to", dev.to())
	n.printer("hall", "P1")
	id := n.create(spooler.Submission{Printer: "hall", Copies: 2})
	n.add(id, paper("a", 1000), false)
	n.add(id, paper("b", 2000), false)
	if j := n.job(id); j.State != job.Incoming || len(j.Parts()) != 2 {
		t.Fatalf("%+v", j)
	}
	n.restart() // what came is kept
	n.add(id, paper("c", 3000), true)
	n.printed(id)
	if got, want := dev.texts(), []string{"a", "b", "c", "a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("the device has %v, want %v", got, want)
	}
	n.outcomes(id, slices.Repeat([]job.Outcome{job.Sent}, 6)...)
	n.until("the documents are removed", func() bool { return len(n.documents()) == 0 })
}

// A module that dies in the second document costs only the second document.
func TestCrashInTheSecondDocument(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("P1", "to", dev.to(), "crash", "write", "at", "2000", "only", "2")
	n.printer("hall", "P1")
	id := n.create(spooler.Submission{Printer: "hall"})
	n.add(id, paper("a", 1000), false)
	n.add(id, paper("b", 3000), true)
	n.printed(id)
	dev.wantWhole(paper("a", 1000), 1)
	dev.wantWhole(paper("b", 3000), 1)
	n.outcomes(id, job.Sent, job.Crashed, job.Sent)
}

func TestIncomingEnds(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("P1", "to", dev.to())
	n.printer("hall", "P1")

	id := n.create(spooler.Submission{Printer: "hall"})
	if _, err := n.node().CloseJob(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	n.state(id, job.Cancelled)
	_, err := n.node().AddDocument(t.Context(), id, spooler.DocumentInfo{}, bytes.NewReader(paper("x", 10)), true)
	if !errors.Is(err, spoolerr.Precondition) {
		t.Errorf("a document for a job that has ended: %v", err)
	}

	held := n.create(spooler.Submission{Printer: "hall", Hold: true})
	n.add(held, paper("held", 300_000), true)
	n.state(held, job.Held)

	on := true
	n.set("hall", spooler.Settings{HoldNew: &on})
	kept := n.create(spooler.Submission{Printer: "hall"})
	n.add(kept, paper("new", 10), true)
	also := n.submit("hall", paper("also", 10))
	n.state(kept, job.Held)
	n.state(also, job.Held)
	n.ok(n.node().ReleaseHeldNew(t.Context(), "hall", "bob"))
	n.printed(kept, also)
	n.state(held, job.Held) // by its submitter, not by the printer

	cancelled := n.create(spooler.Submission{Printer: "hall"})
	n.add(cancelled, paper("gone", 300_000), false)
	n.ok(n.node().CancelJob(t.Context(), cancelled, "bob"))
	n.until("its document is removed", func() bool { return len(n.documents()) == 1 })
}

// A submitter that goes away leaves no half job that prints by itself.
func TestAbandonedJob(t *testing.T) {
	clock := hosttest.NewClock(time.Now())
	n := boot(t, func(cfg *host.Config) { cfg.Now = clock.Now })
	n.port("P1", "to", newSink(t).to())
	n.printer("hall", "P1")
	empty, half := n.create(spooler.Submission{Printer: "hall"}), n.create(spooler.Submission{Printer: "hall"})
	n.add(half, paper("half", 10), false)
	n.halt()
	clock.Forward(spooler.IncomingTimeout + time.Second)
	n.start() // housekeeping runs at once
	n.state(empty, job.Cancelled)
	n.state(half, job.Held)
}

func TestOrderOfJobs(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("P1", "to", dev.to())
	n.printer("hall", "P1")
	n.ok(n.node().PausePrinter(t.Context(), "hall"))
	var ids []uint64
	for _, name := range []string{"one", "two", "three", "four"} {
		ids = append(ids, n.submit("hall", paper(name, 10)))
	}
	n.ok(n.node().PromoteJob(t.Context(), ids[2], "bob"))
	n.ok(n.node().ScheduleJobAfter(t.Context(), ids[3], ids[0], "bob"))
	later := time.Now().Add(time.Hour)
	n.ok(n.node().EditJob(t.Context(), ids[1], job.Edit{NotBefore: &later}, "bob"))
	n.ok(n.node().ResumePrinter(t.Context(), "hall"))
	n.printed(ids[0], ids[2], ids[3])
	if got, want := dev.texts(), []string{"three", "one", "four"}; !slices.Equal(got, want) {
		t.Errorf("printed %v, want %v", got, want)
	}
	if why := n.node().WhyWaiting(n.job(ids[1])); why == "" {
		t.Error("nobody says why the last one waits")
	}
	n.ok(n.node().ReleaseJob(t.Context(), ids[1], "bob"))
	n.ok(n.node().EditJob(t.Context(), ids[1], job.Edit{NotBefore: ptr(time.Time{})}, "bob"))
	n.printed(ids[1])
}

func TestRejectingAndResubmit(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("P1", "to", dev.to())
	n.printer("hall", "P1")
	n.set("hall", spooler.Settings{Rejecting: ptr(true), KeepPrinted: ptr(true), Formats: []string{"text/plain"}, Allow: []string{"ann"}})
	if _, err := n.node().Submit(t.Context(), spooler.Submission{Printer: "hall"}, bytes.NewReader([]byte("x"))); !errors.Is(err, spoolerr.Precondition) {
		t.Errorf("a rejecting printer: %v", err)
	}
	n.restart()
	v, err := n.node().Printer("hall")
	if err != nil || !v.Rejecting || !slices.Equal(v.Formats, []string{"text/plain"}) || !slices.Equal(v.Allow, []string{"ann"}) {
		t.Fatalf("after a restart: %+v, %v", v, err)
	}
	n.set("hall", spooler.Settings{Rejecting: ptr(false), Formats: []string{}})
	id := n.create(spooler.Submission{Printer: "hall"})
	n.add(id, paper("a", 10), false)
	n.add(id, paper("b", 10), true)
	n.printed(id)
	again, err := n.node().Resubmit(t.Context(), n.job(id), spooler.Submission{Printer: "hall", User: "bob"})
	n.ok(err)
	n.printed(again.ID)
	if got, want := dev.texts(), []string{"a", "b", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("printed %v, want %v", got, want)
	}
	n.ok(n.node().RestartJob(t.Context(), id, "bob"))
	n.printed(id)
	if len(dev.texts()) != 6 {
		t.Errorf("a restart printed %v", dev.texts())
	}
}
