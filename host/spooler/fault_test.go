package spooler_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestKillInMidDocument(t *testing.T) {
	n := boot(t, func(c *host.Config) { c.Builtins = append(c.Builtins, hosttest.Monitor("Other Monitor")) })
	dev, other := newShutSink(t), newShutSink(t)
	n.port("A", "to", dev.to())
	n.portOf("Other Monitor", "B", "to", other.to())
	n.printer("p", "A")
	n.printer("q", "B")
	data := paper("victim", big)
	id, bystander := n.submit("p", data), n.submit("q", paper("bystander", big))
	n.sending(id)
	n.sending(bystander)
	n.kill()
	n.await(id, "in its second attempt", func(j *job.Job) bool { return len(j.Attempts) == 2 })
	other.open()
	n.printed(bystander) // while the other is still held back
	n.outcomes(bystander, job.Sent)
	dev.open()
	n.printed(id)
	n.outcomes(id, job.Crashed, job.Sent)
	dev.wantWhole(data, 1)
	j := n.job(id)
	if j.Faults != 1 || j.Attempts[0].Incarnation == j.Attempts[1].Incarnation || j.Attempts[0].BytesSent == 0 {
		t.Errorf("%+v", j)
	}
}

func TestCrashAtAByte(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("A", "to", dev.to(), "crash", "write", "at", "100000", "only", "2")
	n.printer("p", "A")
	data := paper("x", 300_000)
	id := n.submit("p", data)
	n.printed(id)
	n.outcomes(id, job.Crashed, job.Crashed, job.Sent)
	dev.wantWhole(data, 1)
}

func TestCrashAfterTheReportIsPrinted(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("A", "to", dev.to(), "crash", "sent")
	n.printer("p", "A")
	first, second := n.submit("p", paper("1", 10)), n.submit("p", paper("2", 10))
	n.printed(first, second)
	n.outcomes(first, job.Sent)
	n.outcomes(second, job.Sent)
}

func TestDeviceRefusesAndComesBack(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	flag := filepath.Join(n.dir, "refuse")
	n.ok(os.WriteFile(flag, nil, 0o600))
	n.port("A", "to", dev.to(), "fail", "start", "while", flag)
	n.printer("p", "A")
	id := n.submit("p", paper("x", 10))
	n.await(id, "refused", func(j *job.Job) bool { return j.State == job.Queued && len(j.Attempts) == 1 })
	n.until("the port waits", func() bool {
		v, _ := n.node().Port("A")
		return v.State == "waiting" && strings.Contains(v.Status, "refuses")
	})
	n.ok(os.Remove(flag))
	n.printed(id)
	if j := n.job(id); j.Faults != 0 {
		t.Errorf("a device that was not reached counts against the job: %+v", j)
	}
	n.until("the port works", func() bool {
		v, _ := n.node().Port("A")
		return v.State == "idle" && v.Status == ""
	})
}

func TestHungPortDelaysNobody(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	flag := filepath.Join(n.dir, "hang")
	n.ok(os.WriteFile(flag, nil, 0o600))
	n.port("A", "hang", "write", "obeys", "yes", "while", flag)
	n.port("B", "to", dev.to())
	n.printer("p", "A")
	n.printer("q", "B")
	hung := n.submit("p", paper("hung", 10))
	n.state(hung, job.Printing)
	for range 3 { // in the same process
		n.printed(n.submit("q", paper("x", 100_000)))
	}
	n.ok(n.node().CancelJob(t.Context(), hung, "ann"))
	n.state(hung, job.Cancelled)
}

func TestCallTimesOut(t *testing.T) {
	// Hung in EndDocPort, the module had given the device everything; its connection is reset
	// with the process, so the device knows that the document did not end.
	for _, call := range []string{"start", "write", "end"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			n := boot(t, func(c *host.Config) { c.Limits.Resource = time.Second })
			dev := newSink(t)
			n.port("A", "to", dev.to(), "hang", call, "only", "1")
			n.printer("p", "A")
			before, _ := n.node().Monitor(monitorName)
			data := paper("x", 1000)
			id := n.submit("p", data)
			n.printed(id)
			n.outcomes(id, job.TimedOut, job.Sent)
			dev.wantWhole(data, 1)
			after, _ := n.node().Monitor(monitorName)
			if after.Process == before.Process || alive(before.Process.PID) {
				t.Errorf("process %d was not ended", before.Process.PID)
			}
		})
	}
}

func TestPoliciesOfAPrinter(t *testing.T) {
	n := boot(t, nil)
	n.port("A", "crash", "write")
	n.printer("p", "A")
	for policy, want := range map[string]job.State{"hold": job.Held, "cancel": job.Cancelled} {
		n.set("p", spooler.Settings{Policy: ptr(policy)})
		id := n.submit("p", paper("x", 10))
		j := n.state(id, want)
		n.outcomes(id, job.Crashed)
		if !strings.Contains(j.Reason, "policy") {
			t.Errorf("%q", j.Reason)
		}
	}
	n.set("p", spooler.Settings{Policy: ptr("retry"), MaxAttempts: ptr[uint32](2)})
	id := n.submit("p", paper("x", 10))
	j := n.state(id, job.Held)
	n.outcomes(id, job.Crashed, job.Crashed)
	if !strings.Contains(j.Reason, "too many") {
		t.Errorf("%q", j.Reason)
	}
}

func TestUnconfirmedIsHeld(t *testing.T) {
	n := boot(t, func(c *host.Config) { c.Limits.Resource = 300 * time.Millisecond })
	dev := newSink(t)
	n.port("A", "to", dev.to(), "confirm", "never")
	n.printer("p", "A")
	id := n.submit("p", paper("x", 10))
	if j := n.state(id, job.Held); !j.MayHavePrinted {
		t.Errorf("%+v", j)
	}
	n.outcomes(id, job.Unconfirmed)
}

func TestStopWhilePrinting(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	running, next := n.submit("p", paper("running", big)), n.submit("p", paper("next", 10))
	n.sending(running)
	n.stop()
	n.until("the host is stopping", func() bool { return n.node().State() == "stopping" })
	dev.open()
	n.halt()
	if got := dev.texts(); len(got) != 1 || got[0] != "running" {
		t.Errorf("printed %v", got)
	}
	n.start()
	n.printed(next)
	n.printed(running)
	n.outcomes(running, job.Sent)
}

// A document that does not finish within the resource time-out is given up at the stop.
func TestStopDoesNotWaitForEver(t *testing.T) {
	n := boot(t, func(c *host.Config) { c.Limits.Resource = time.Second })
	dev := newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	id := n.submit("p", paper("x", big))
	n.sending(id)
	n.halt()
	dev.open()
	n.start()
	n.printed(id)
	n.outcomes(id, job.Interrupted, job.Sent)
	dev.wantWhole(paper("x", big), 1)
}

// crashed leaves the data directory as a host that was killed while it printed job id.
func (n *node) crashed(id uint64, printer string) {
	n.Helper()
	n.halt()
	db, err := store.OpenBolt(filepath.Join(n.dir, "data", "spoolhost.db"), store.Options{})
	n.ok(err)
	q, _, err := job.Open(n.Context(), db, spooler.NodeName, time.Now)
	n.ok(err)
	_, err = q.Begin(n.Context(), id, printer, job.Attempt{Port: "A", Monitor: monitorName, Incarnation: 1})
	n.ok(errors.Join(err, db.Close()))
}

func TestPolicyAfterACrashOfTheHost(t *testing.T) {
	for policy, want := range map[string]job.State{"retry": job.Printed, "hold": job.Held, "cancel": job.Cancelled} {
		t.Run(policy, func(t *testing.T) {
			n, dev := boot(t, nil), newSink(t)
			n.port("A", "to", dev.to())
			n.printer("p", "A")
			n.set("p", spooler.Settings{Policy: ptr(policy)})
			n.ok(n.node().PausePrinter(t.Context(), "p"))
			id := n.submit("p", paper("x", 10))
			n.crashed(id, "p")
			n.start()
			n.ok(n.node().ResumePrinter(t.Context(), "p"))
			j := n.state(id, want)
			if want == job.Printed {
				n.outcomes(id, job.Interrupted, job.Sent)
				return
			}
			n.outcomes(id, job.Interrupted)
			if !j.MayHavePrinted {
				t.Errorf("%+v", j)
			}
		})
	}
}

func TestDamagedDocument(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	n.ok(n.node().PausePrinter(t.Context(), "p"))
	const long = 300_000 // so that it has a file of its own
	flipped, cut, gone, good := n.submit("p", paper("1", long)), n.submit("p", paper("2", long)), n.submit("p", paper("3", long)), n.submit("p", paper("4", 1000))
	small := n.submit("p", paper("5", 1000))
	file := func(id uint64) string { return filepath.Join(n.dir, "data", "documents", n.job(id).Document.ID) }
	data, err := os.ReadFile(file(flipped))
	n.ok(err)
	data[500] ^= 1
	n.ok(os.WriteFile(file(flipped), data, 0o600))
	n.ok(os.Truncate(file(cut), 10))
	n.ok(os.Remove(file(gone)))
	n.damageSegment(small)
	n.restart()
	n.ok(n.node().ResumePrinter(t.Context(), "p"))
	n.printed(good)
	for id, why := range map[uint64]string{flipped: "hash is wrong", cut: "its file has 10", gone: "missing", small: "hash is wrong"} {
		if j := n.state(id, job.Failed); !strings.Contains(j.Reason, why) {
			t.Errorf("%q does not say %q", j.Reason, why)
		}
		n.outcomes(id)
	}
	if got := dev.texts(); len(got) != 1 || got[0] != "4" {
		t.Errorf("printed %v", got)
	}
	n.until("documents are removed", func() bool { return len(n.documents()) == 0 })
}

// damageSegment changes a byte of a small document, which lies among others.
func (n *node) damageSegment(id uint64) {
	n.Helper()
	segment, rest, _ := strings.Cut(n.job(id).Document.ID, "-")
	from, _, _ := strings.Cut(rest, "-")
	offset, err := strconv.ParseInt(from, 16, 64)
	n.ok(err)
	f, err := os.OpenFile(filepath.Join(n.dir, "data", "documents", segment+".segment"), os.O_WRONLY, 0)
	n.ok(err)
	_, err = f.WriteAt([]byte{0}, offset+500)
	n.ok(errors.Join(err, f.Close()))
}

func TestLeftOversAreSwept(t *testing.T) {
	n := boot(t, nil)
	n.halt()
	docs, err := document.Open(filepath.Join(n.dir, "data", "documents"), document.Options{})
	n.ok(err)
	w, err := docs.Create(t.Context())
	n.ok(err)
	_, err = w.Write(paper("never accepted", 300_000))
	n.ok(err)
	_, err = w.Commit(t.Context())
	n.ok(errors.Join(err, docs.Close()))
	n.start()
	if left := n.documents(); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestMonitorThatCannotStart(t *testing.T) {
	n := boot(t, func(c *host.Config) {
		c.Builtins = append(c.Builtins, catalog.Monitor{Name: "Broken", Path: "/bin/false"})
	})
	dev := newSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	n.printed(n.submit("p", paper("x", 10)))
	if s := n.node().State(); s != "online-incomplete" {
		t.Errorf("%s", s)
	}
	if err := n.node().AddPort(t.Context(), "B", "Broken", nil); !errors.Is(err, spoolerr.Unavailable) {
		t.Errorf("%v", err)
	}
}

func TestRestartMonitorWhilePrinting(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	n.port("A", "to", dev.to())
	n.printer("p", "A")
	running, next := n.submit("p", paper("running", big)), n.submit("p", paper("next", 10))
	n.sending(running)
	before, _ := n.node().Monitor(monitorName)
	n.ok(n.node().RestartMonitor(monitorName))
	n.until("the monitor is stopping", func() bool {
		v, _ := n.node().Monitor(monitorName)
		return v.State == "stopping"
	})
	dev.open()
	n.printed(running, next)
	n.outcomes(running, job.Sent)
	n.outcomes(next, job.Sent)
	if a := n.job(next).Attempts[0]; a.Incarnation == before.Process.Incarnation {
		t.Errorf("%+v", a)
	}
}
