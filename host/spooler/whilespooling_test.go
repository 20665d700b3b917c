package spooler_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

var errBrokenOff = errors.New("the submitter went away")

// slowly is a submission whose document comes piece by piece.
type slowly struct {
	*node
	in   *io.PipeWriter
	done chan error
	job  *job.Job
}

// earlyPrinter makes printer p, which prints while it spools.
func earlyPrinter(n *node, dev *sink, settings ...string) {
	n.Helper()
	n.port("A", append(settings, "to", dev.to())...)
	n.printer("p", "A")
	early := spooler.WhileSpooling
	n.set("p", spooler.Settings{StartPrinting: &early})
}

// submitSlowly sends the first part of a document.
func submitSlowly(n *node, first []byte) *slowly {
	n.Helper()
	return sendSlowly(n, first, func(ctx context.Context, body io.Reader) (*job.Job, error) {
		return n.node().Submit(ctx, spooler.Submission{Printer: "p", User: "ann", Title: "long"}, body)
	})
}

func sendSlowly(n *node, first []byte, submit func(context.Context, io.Reader) (*job.Job, error)) *slowly {
	n.Helper()
	body, in := io.Pipe()
	s := &slowly{node: n, in: in, done: make(chan error, 1)}
	go func() {
		j, err := submit(n.Context(), body)
		s.job = j
		_ = body.CloseWithError(err)
		s.done <- err
	}()
	_, err := in.Write(first)
	n.ok(err)
	return s
}

// rest sends what is left, and waits until the submitter is told that it was accepted.
func (s *slowly) rest(data []byte) {
	s.Helper()
	_, err := s.in.Write(data)
	s.ok(err)
	s.ok(s.in.Close())
	s.ok(<-s.done)
}

// only gives the one job that there is, once it has a record.
func (s *slowly) only() uint64 {
	s.Helper()
	var id uint64
	s.until("a record", func() bool {
		for _, j := range s.node.node().Queue().Active("p") {
			id = j.ID
		}
		return id != 0
	})
	return id
}

func earlyWays(t *testing.T, test func(t *testing.T, file string)) {
	for name, file := range map[string]string{"in chunks": "", "by descriptor": "yes"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, file)
		})
	}
}

func TestPrintsWhileSpooling(t *testing.T) {
	earlyWays(t, func(t *testing.T, file string) {
		n, dev, data := boot(t, nil), newSink(t), paper("x", 3<<20)
		earlyPrinter(n, dev, "file", file, "unsized", "yes")
		s := submitSlowly(n, data[:1<<20])
		id := s.only()
		n.sending(id)
		n.until("all that was sent is there", func() bool { return n.job(id).Document.Size == 1<<20 })
		if j := n.job(id); !j.Spooling || j.Current().BytesSent >= j.Document.Size {
			t.Errorf("%+v", j)
		}
		s.rest(data[1<<20:])
		n.printed(id)
		n.outcomes(id, job.Sent)
		dev.wantWhole(data, 1)
	})
}

func TestSubmissionBreaksOffWhilePrinting(t *testing.T) {
	earlyWays(t, func(t *testing.T, file string) {
		n, dev, data := boot(t, nil), newSink(t), paper("x", 3<<20)
		earlyPrinter(n, dev, "file", file, "unsized", "yes")
		s := submitSlowly(n, data[:1<<20])
		id := s.only()
		n.sending(id)
		n.ok(s.in.CloseWithError(errBrokenOff))
		if err := <-s.done; !errors.Is(err, errBrokenOff) {
			t.Errorf("the submitter was told %v", err)
		}
		n.state(id, job.Cancelled)
		n.outcomes(id, job.AttemptCancelled)
		if j := n.job(id); j.MayHavePrinted || !spooler.BrokeOff(j) || j.Attempts[0].BytesSent == 0 || !strings.Contains(j.Reason, errBrokenOff.Error()) {
			t.Errorf("%+v", j)
		}
		n.until("no document", func() bool { return len(n.documents()) == 0 })
		next := n.submit("p", data)
		n.printed(next)
		dev.wantWhole(data, 1)
	})
}

func TestModuleCrashesWhileSpooling(t *testing.T) {
	earlyWays(t, func(t *testing.T, file string) {
		n, dev, data := boot(t, nil), newSink(t), paper("x", 3<<20)
		earlyPrinter(n, dev, "file", file, "unsized", "yes", "crash", "write", "at", "500000", "only", "1")
		s := submitSlowly(n, data[:1<<20])
		id := s.only()
		n.await(id, "tried again", func(j *job.Job) bool { return len(j.Attempts) == 2 })
		s.rest(data[1<<20:])
		n.printed(id)
		n.outcomes(id, job.Crashed, job.Sent)
		dev.wantWhole(data, 1)
	})
}

func TestPortThatNeedsTheLengthWaits(t *testing.T) {
	n, dev, data := boot(t, nil), newSink(t), paper("x", 3<<20)
	earlyPrinter(n, dev)
	s := submitSlowly(n, data[:1<<20])
	id := s.only()
	small := n.submit("p", []byte("meanwhile"))
	n.printed(small) // the port is free for others
	if j := n.job(id); len(j.Attempts) > 0 {
		t.Errorf("%+v", j)
	}
	s.rest(data[1<<20:])
	n.printed(id)
	n.outcomes(id, job.Sent)
	dev.wantWhole(data, 1)
}

func TestCancelledWhileSpooling(t *testing.T) {
	n, dev, data := boot(t, nil), newSink(t), paper("x", 3<<20)
	earlyPrinter(n, dev, "unsized", "yes")
	s := submitSlowly(n, data[:1<<20])
	id := s.only()
	n.sending(id)
	n.ok(n.node().CancelJob(t.Context(), id, "ann"))
	n.state(id, job.Cancelled)
	_, _ = s.in.Write(data[1<<20:]) // nobody reads it to its end
	_ = s.in.Close()
	if err := <-s.done; err == nil {
		t.Error("a cancelled document was accepted")
	}
	if j := n.job(id); spooler.BrokeOff(j) {
		t.Errorf("a person cancelled it: %+v", j)
	}
	n.until("no document", func() bool { return len(n.documents()) == 0 })
}

func TestCreatedJobPrintsWhileSpooling(t *testing.T) {
	n, dev, data := boot(t, nil), newSink(t), paper("x", 3<<20)
	earlyPrinter(n, dev, "file", "yes", "unsized", "yes")
	add := func(id uint64, last bool) func(context.Context, io.Reader) (*job.Job, error) {
		return func(ctx context.Context, body io.Reader) (*job.Job, error) {
			return n.node().AddDocument(ctx, id, spooler.DocumentInfo{Name: "d"}, body, last)
		}
	}
	id := n.create(spooler.Submission{Printer: "p", User: "ann", Title: "created", Key: "a key of the submitter's"})
	s := sendSlowly(n, data[:1<<20], add(id, true))
	n.sending(id)
	s.rest(data[1<<20:])
	n.printed(id)
	n.outcomes(id, job.Sent)
	dev.wantWhole(data, 1)

	broken := n.create(spooler.Submission{Printer: "p", User: "ann", Title: "broken"})
	s = sendSlowly(n, data[:1<<20], add(broken, true))
	n.sending(broken)
	n.ok(s.in.CloseWithError(errBrokenOff))
	if err := <-s.done; !errors.Is(err, errBrokenOff) {
		t.Errorf("the submitter was told %v", err)
	}
	n.state(broken, job.Cancelled)

	// Nobody knows how many documents follow one that is not the last.
	first := n.create(spooler.Submission{Printer: "p", User: "ann", Title: "two"})
	s = sendSlowly(n, data[:1<<20], add(first, false))
	s.rest(data[1<<20:])
	if j := n.job(first); j.State != job.Incoming || len(j.Attempts) > 0 {
		t.Errorf("%+v", j)
	}
}

func TestSilentSubmitterLosesThePort(t *testing.T) {
	n := boot(t, func(c *host.Config) { c.Limits.Resource = 2 * time.Second })
	dev, data := newSink(t), paper("x", 3<<20)
	earlyPrinter(n, dev, "unsized", "yes")
	s := submitSlowly(n, data[:1<<20])
	id := s.only()
	next := n.submit("p", []byte("behind it"))
	if j := n.state(id, job.Cancelled); !strings.Contains(j.Reason, "sent nothing") {
		t.Errorf("%+v", j)
	}
	n.printed(next)
	_, _ = s.in.Write(data[1<<20:])
	_ = s.in.Close()
	if err := <-s.done; spoolerr.KindOf(err) != spoolerr.Cancelled {
		t.Errorf("it was told %v", err)
	}
	n.outcomes(id, job.AttemptCancelled)
	n.until("no document", func() bool { return len(n.documents()) == 0 })
}

// TestSameSubmissionTwiceWhileSpooling: the one that is whole first is the job; what the
// other has sent to the port is given up, and its submitter is told of the first.
func TestSameSubmissionTwiceWhileSpooling(t *testing.T) {
	n, dev, data := boot(t, nil), newSink(t), paper("x", 3<<20)
	earlyPrinter(n, dev, "unsized", "yes")
	n.port("B", "to", dev.to(), "unsized", "yes")
	n.set("p", spooler.Settings{Ports: []string{"A", "B"}})
	submit := func(ctx context.Context, body io.Reader) (*job.Job, error) {
		return n.node().Submit(ctx, spooler.Submission{Printer: "p", User: "ann", Title: "long", Key: "0123456789abcdef"}, body)
	}
	slow := sendSlowly(n, data[:1<<20], submit)
	given := slow.only()
	n.sending(given)
	fast := sendSlowly(n, data[:1<<20], submit)
	fast.rest(data[1<<20:])
	slow.rest(data[1<<20:])
	if slow.job.ID != fast.job.ID || fast.job.ID == given {
		t.Errorf("two jobs for one submission: %d and %d, the slow one began as %d", slow.job.ID, fast.job.ID, given)
	}
	n.printed(fast.job.ID)
	if j := n.state(given, job.Cancelled); !strings.Contains(j.Reason, "accepted as job") {
		t.Errorf("%+v", j)
	}
	dev.wantWhole(data, 1)
}
