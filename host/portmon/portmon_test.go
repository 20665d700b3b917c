package portmon

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestWholeDocumentInChunks(t *testing.T) {
	b := newBench(t, longDocument).patient()
	b.printed()
	if want := []string{"StartDoc", "Write", "Write", "Write", "EndDoc"}; !slices.Equal(b.fake.calls, want) {
		t.Errorf("calls %v", b.fake.calls)
	}
	if want := []int64{spool.ChunkSize, 2 * spool.ChunkSize, longDocument}; !slices.Equal(b.sent, want) {
		t.Errorf("progress %v", b.sent)
	}
	if b.waiting != nil || b.fake.aborts != 0 {
		t.Errorf("waiting %q, %d aborts", b.waiting, b.fake.aborts)
	}
	b.printed() // the port takes the next document
}

func TestShortWrites(t *testing.T) {
	b := newBench(t, longDocument).patient()
	b.fake.write = func(_ context.Context, p []byte) (int, error) { return min(len(p), 100_001), nil }
	b.printed()
	if b.pauses != nil || b.waiting != nil {
		t.Errorf("pauses %v, waiting %q: a short write makes progress", b.pauses, b.waiting)
	}
}

func TestZeroWrites(t *testing.T) {
	b := newBench(t, 10).patient()
	n := 0
	b.fake.write = func(_ context.Context, p []byte) (int, error) {
		if n++; n <= 9 {
			return 0, nil
		}
		return len(p), nil
	}
	b.printed()
	if want := []string{"the device takes no data", ""}; !slices.Equal(b.waiting, want) {
		t.Errorf("waiting %q", b.waiting)
	}
	if len(b.pauses) != 9 || b.pauses[0] != firstPause || b.pauses[1] != 2*firstPause || b.pauses[8] != maxPause {
		t.Errorf("pauses %v", b.pauses)
	}
}

func TestNotReadyForAWhile(t *testing.T) {
	b := newBench(t, 100).patient()
	n := 0
	b.fake.write = func(_ context.Context, p []byte) (int, error) {
		switch n++; {
		case n <= 2:
			return 0, spoolerr.New(spoolerr.NotReady, 0, "paper out")
		case n == 3: // some bytes, and not ready for more
			return 10, spoolerr.New(spoolerr.NotReady, 0, "door open")
		}
		return min(len(p), 50), nil
	}
	b.printed()
	if want := []string{"paper out", "paper out", "door open", ""}; !slices.Equal(b.waiting, want) {
		t.Errorf("waiting %q", b.waiting)
	}
}

var errDevice = spoolerr.New(spoolerr.Unavailable, spoolerr.CodeConnectionRefused, "the device refuses the connection")

// failIn makes a call fail with err; a write fails after its first 10 bytes.
func (b *bench) failIn(call string, err error) {
	b.fake.start = func(context.Context, spool.Doc) error { return only(call == "StartDoc", err) }
	b.fake.write = func(_ context.Context, p []byte) (int, error) {
		if call == "Write" {
			return 10, err
		}
		return len(p), nil
	}
	b.fake.end = func(context.Context) error {
		if call == "EndDoc" {
			return err
		}
		return b.fake.report()
	}
}

func only(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

func TestDeviceErrors(t *testing.T) {
	cases := map[string]struct {
		sent   int64
		aborts int
	}{"StartDoc": {0, 0}, "Write": {10, 1}, "EndDoc": {100, 0}}
	for call, want := range cases {
		t.Run(call, func(t *testing.T) {
			b := newBench(t, 100).patient()
			b.failIn(call, errDevice)
			r := b.ends(job.DeviceFailed)
			if r.BytesSent != want.sent || !strings.Contains(r.Error, "refuses") || b.fake.aborts != want.aborts {
				t.Errorf("%+v, %d aborts", r, b.fake.aborts)
			}
			b.killed(false)
		})
	}
}

func TestDeviceTimeOutIsNotOurs(t *testing.T) {
	b := newBench(t, 100).patient()
	b.failIn("Write", spoolerr.New(spoolerr.TimedOut, 0, "the device did not answer in 10s"))
	b.ends(job.DeviceFailed)
	b.killed(false)
}

func TestExitInEachCall(t *testing.T) {
	for _, call := range []string{"StartDoc", "Write", "EndDoc"} {
		t.Run(call, func(t *testing.T) {
			b := newBench(t, 100).patient()
			b.failIn(call, spoolerr.New(spoolerr.Exited, 0, "the module died"))
			b.ends(job.Crashed)
			b.killed(false)
		})
		t.Run(call+" ended by the host", func(t *testing.T) {
			b := newBench(t, 100).patient()
			b.proc.ended = "an operator asked for a restart"
			b.failIn(call, spoolerr.New(spoolerr.Exited, 0, "the module died"))
			if r := b.ends(job.Interrupted); !strings.Contains(r.Error, "an operator asked") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// blockIn makes a call last until its context ends, in a module that obeys or not; entered
// is called when the module is in it.
func (b *bench) blockIn(call string, obeys bool, entered func()) {
	block := func(ctx context.Context, here string) error {
		if here != call {
			return nil
		}
		entered()
		if obeys {
			return b.fake.obey(ctx)
		}
		return b.fake.hang(ctx)
	}
	b.fake.start = func(ctx context.Context, _ spool.Doc) error { return block(ctx, "StartDoc") }
	b.fake.write = func(ctx context.Context, p []byte) (int, error) {
		if err := block(ctx, "Write"); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	b.fake.end = func(ctx context.Context) error {
		if err := block(ctx, "EndDoc"); err != nil {
			return err
		}
		return b.fake.report()
	}
}

func TestHangInEachCall(t *testing.T) {
	for _, call := range []string{"StartDoc", "Write", "EndDoc"} {
		for name, obeys := range map[string]bool{"obeys": true, "deaf": false} {
			t.Run(call+" "+name, func(t *testing.T) {
				b := newBench(t, 100)
				b.blockIn(call, obeys, func() {})
				r := b.ends(job.TimedOut)
				if !strings.HasPrefix(r.Error, call+"Port did not return within") {
					t.Errorf("%q", r.Error)
				}
				if b.fake.aborts != 1 {
					t.Errorf("%d aborts", b.fake.aborts)
				}
				b.killed(!obeys)
			})
		}
	}
}

// The module's side of the connection gives the waiting call up, by its own timer, an
// instant before the host's timer fires.
func TestDeafModuleWhoseServerIsQuicker(t *testing.T) {
	for _, kind := range []spoolerr.Kind{spoolerr.Busy, spoolerr.TimedOut, spoolerr.Cancelled} {
		b := newBench(t, 100)
		b.port.limits.Grace = 400 * time.Millisecond
		b.blockIn("Write", false, func() {})
		b.fake.quicker, b.fake.says = 10*time.Millisecond, spoolerr.New(kind, 0, "the handle is still in an earlier call")
		b.ends(job.TimedOut)
		b.killed(true)
	}
}

func TestStopInEachCall(t *testing.T) {
	for _, call := range []string{"StartDoc", "Write", "EndDoc"} {
		for name, obeys := range map[string]bool{"obeys": true, "deaf": false} {
			t.Run(call+" "+name, func(t *testing.T) {
				b := newBench(t, 100)
				b.port.limits.Resource *= 1000
				b.blockIn(call, obeys, func() { b.cancel(errors.New("cancelled by ann")) })
				if r := b.ends(job.Stopped); r.Error != "cancelled by ann" {
					t.Errorf("%+v", r)
				}
				b.killed(!obeys)
			})
		}
	}
}

func TestStopWhileTheDeviceWaits(t *testing.T) {
	b := newBench(t, 100).patient()
	b.port.pause = pause
	b.fake.write = func(context.Context, []byte) (int, error) {
		b.cancel(errors.New("cancelled by ann"))
		return 0, spoolerr.New(spoolerr.NotReady, 0, "paper out")
	}
	b.ends(job.Stopped)
	if b.fake.aborts != 1 {
		t.Errorf("%d aborts", b.fake.aborts)
	}
}

func TestStopBeforeTheStart(t *testing.T) {
	b := newBench(t, 100).patient()
	b.cancel(errors.New("held by ann"))
	b.blockIn("StartDoc", true, func() {})
	b.ends(job.Stopped)
}

func TestStopWhileUnconfirmed(t *testing.T) {
	b := newBench(t, 100).patient()
	b.fake.end = func(context.Context) error {
		b.cancel(errors.New("cancelled by ann"))
		return nil
	}
	if r := b.ends(job.Stopped); r.BytesSent != 100 || b.fake.aborts != 0 {
		t.Errorf("%+v, %d aborts", r, b.fake.aborts)
	}
}

func TestStopAfterTheReport(t *testing.T) {
	b := newBench(t, 100).patient()
	b.fake.end = func(ctx context.Context) error {
		if err := b.fake.report(); err != nil {
			return err
		}
		b.cancel(errors.New("cancelled by ann"))
		return b.fake.obey(ctx)
	}
	b.ends(job.Sent)
	b.killed(false)
}

func TestReportAfterEndDoc(t *testing.T) {
	b := newBench(t, 100).patient()
	late := make(chan error, 1)
	b.fake.end = func(context.Context) error {
		go func() { late <- b.fake.report() }()
		return nil
	}
	b.printed()
	if err := <-late; err != nil {
		t.Error(err)
	}
}

func TestReportInTheLastWrite(t *testing.T) {
	b := newBench(t, 100).patient()
	b.fake.write = func(_ context.Context, p []byte) (int, error) { return len(p), b.fake.report() }
	b.fake.end = func(context.Context) error { return nil }
	b.printed()
}

func TestReportTwice(t *testing.T) {
	b := newBench(t, 100).patient()
	b.fake.end = func(context.Context) error { return errors.Join(b.fake.report(), b.fake.report()) }
	b.printed()
	if err := b.fake.report(); !errors.Is(err, spoolerr.Invalid) {
		t.Errorf("after the document: %v", err)
	}
}

func TestNeverReported(t *testing.T) {
	b := newBench(t, 100)
	b.fake.end = func(context.Context) error { return nil }
	if r := b.ends(job.Unconfirmed); r.BytesSent != 100 {
		t.Errorf("%+v", r)
	}
	b.killed(false)
}

// TestExitBeforeTheReport: a module that has gone reports nothing any more.
func TestExitBeforeTheReport(t *testing.T) {
	b := newBench(t, 100).patient()
	b.proc.done = make(chan struct{})
	b.fake.end = func(context.Context) error {
		close(b.proc.done)
		return nil
	}
	if r := b.ends(job.Unconfirmed); r.BytesSent != 100 {
		t.Errorf("%+v", r)
	}
}

func TestReportsThatAreRefused(t *testing.T) {
	b := newBench(t, 100)
	b.fake.end = func(context.Context) error {
		for _, wrong := range []struct {
			id      uint64
			control spool.JobControl
		}{{0, spool.JobControlSentToPrinter}, {8, spool.JobControlSentToPrinter}, {7, 3}, {7, 0}} {
			if err := b.port.Reported(wrong.id, wrong.control); !errors.Is(err, spoolerr.Invalid) {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
		return nil
	}
	b.ends(job.Unconfirmed)
}

// A report before the last byte was written is a lie: believed, it would make a document
// printed of which the device has a part.
func TestReportTooEarly(t *testing.T) {
	b := newBench(t, longDocument).patient()
	b.fake.start = func(context.Context, spool.Doc) error {
		if err := b.fake.report(); !errors.Is(err, spoolerr.Precondition) {
			t.Errorf("%v", err)
		}
		return nil
	}
	b.fake.write = func(context.Context, []byte) (int, error) { return 10, errors.Join(b.fake.report(), errDevice) }
	b.ends(job.DeviceFailed)
}

func TestExitAfterTheReport(t *testing.T) {
	b := newBench(t, 100).patient()
	b.fake.end = func(context.Context) error {
		if err := b.fake.report(); err != nil {
			return err
		}
		return spoolerr.New(spoolerr.Exited, 0, "the module died")
	}
	b.printed()
}

func TestHangAfterTheReport(t *testing.T) {
	b := newBench(t, 100)
	b.fake.end = func(ctx context.Context) error {
		if err := b.fake.report(); err != nil {
			return err
		}
		return b.fake.hang(ctx)
	}
	b.ends(job.Sent)
	b.killed(true) // else the next document would find the port in a call
}

// brokenReader is a document on a disk that fails.
type brokenReader struct{ at int64 }

func (r brokenReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > r.at {
		return 0, errors.New("input/output error")
	}
	return len(p), nil
}

func TestDocumentCannotBeRead(t *testing.T) {
	b := newBench(t, longDocument).patient()
	b.src = brokenReader{at: spool.ChunkSize}
	r := b.ends(job.DeviceFailed)
	if r.BytesSent != spool.ChunkSize || !strings.Contains(r.Error, "input/output error") || b.fake.aborts != 1 {
		t.Errorf("%+v, %d aborts", r, b.fake.aborts)
	}
}

func TestOpenAndClose(t *testing.T) {
	if _, err := Open(t.Context(), &fakeMonitor{err: errDevice}, &fakeProcess{}, "LPT1:", DefaultLimits()); !errors.Is(err, errDevice) {
		t.Errorf("%v", err)
	}
	b := newBench(t, 1)
	if err := b.port.Close(t.Context()); err != nil || !b.fake.closed {
		t.Errorf("%v", err)
	}
}

func TestCloseWaitsForTheDocument(t *testing.T) {
	b := newBench(t, 100).patient()
	in, closed := make(chan struct{}), make(chan error, 1)
	b.blockIn("Write", true, func() { close(in) })
	go func() {
		<-in
		go func() { closed <- b.port.Close(context.Background()) }()
		b.cancel(errors.New("shutdown"))
	}()
	b.ends(job.Stopped)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
