package spooler_test

import (
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// At an idle port a job's record begins with its first attempt.
func TestClaim(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	n.ok(n.node().PausePrinter(t.Context(), "p"))
	waiting := n.submit("p", paper("waiting", 10))
	if j := n.job(waiting); j.State != job.Queued || len(j.Attempts) != 0 {
		t.Errorf("at a paused printer: %+v", j)
	}
	dev.open()
	n.ok(n.node().ResumePrinter(t.Context(), "p"))
	n.printed(waiting) // the port is open from now on
	n.until("the port is idle", func() bool { v, err := n.node().Port("A"); return err == nil && v.State == "idle" })

	sub := spooler.Submission{Printer: "p", Title: "t", User: "u", Key: strings.Repeat("k", 32)}
	j, err := n.node().Submit(t.Context(), sub, strings.NewReader("one"))
	n.ok(err)
	if j.State != job.Printing || len(j.Attempts) != 1 || j.Attempts[0].Port != "A" || j.Attempts[0].Incarnation == 0 {
		t.Errorf("at an idle port: %+v", j)
	}
	again, err := n.node().Submit(t.Context(), sub, strings.NewReader("one"))
	n.ok(err)
	if again.ID != j.ID {
		t.Errorf("job %d, and again %d", j.ID, again.ID)
	}
	n.printed(j.ID)
	n.outcomes(j.ID, job.Sent)
	n.printed(n.submit("p", paper("next", 10)))
}

// A job that is cancelled as soon as its id is known ends, whatever had begun.
func TestClaimAndCancel(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	dev.open()
	n.printed(n.submit("p", paper("first", 10)))
	stuck := newShutSink(t)
	n.port("B", "to", stuck.to())
	n.printer("q", "B")
	for range 10 {
		id := n.submit("q", paper("x", big))
		n.ok(n.node().CancelJob(t.Context(), id, "test"))
		n.state(id, job.Cancelled)
	}
	stuck.open()
	n.printed(n.submit("q", paper("last", 10)))
}
