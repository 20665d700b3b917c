package spooler_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
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
	body, in := io.Pipe()
	s := &slowly{node: n, in: in, done: make(chan error, 1)}
	go func() {
		j, err := n.node().Submit(n.Context(), spooler.Submission{Printer: "p", User: "ann", Title: "long"}, body)
		s.job = j
		_ = body.CloseWithError(err)
		s.done <- err
	}()
	_, err := in.Write(first)
	n.ok(err)
	return s
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
		if j := n.sending(id); !j.Spooling {
			t.Errorf("%+v", j)
		}
		_, err := s.in.Write(data[1<<20:])
		n.ok(err)
		n.ok(s.in.Close())
		n.ok(<-s.done)
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
		if j := n.job(id); j.MayHavePrinted || j.Attempts[0].BytesSent == 0 || !strings.Contains(j.Reason, errBrokenOff.Error()) {
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
		_, err := s.in.Write(data[1<<20:])
		n.ok(err)
		n.ok(s.in.Close())
		n.ok(<-s.done)
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
	_, err := s.in.Write(data[1<<20:])
	n.ok(err)
	n.ok(s.in.Close())
	n.ok(<-s.done)
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
	n.until("no document", func() bool { return len(n.documents()) == 0 })
}
