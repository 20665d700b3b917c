package portmon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakePort is a module's port as the host sees it over the wire: a call returns when its
// context ends, whatever the module does. Each hook may take the call over; nil does what
// a good monitor does.
type fakePort struct {
	start func(ctx context.Context, doc spool.Doc) error
	write func(ctx context.Context, p []byte) (int, error)
	end   func(ctx context.Context) error
	// stuck is set when a call was given up inside a module that does not obey: every
	// later call waits for it in vain.
	stuck bool
	// quicker is how long before the deadline a stuck call ends, saying says.
	quicker time.Duration
	says    error

	report func() error // SetJob, set by the bench
	got    bytes.Buffer
	calls  []string
	aborts int
	closed bool
}

func (f *fakePort) call(name string) { f.calls = append(f.calls, name) }

func (f *fakePort) StartDoc(ctx context.Context, doc spool.Doc) error {
	f.call("StartDoc")
	f.got.Reset()
	if f.start != nil {
		return f.start(ctx, doc)
	}
	return nil
}

func (f *fakePort) Write(ctx context.Context, p []byte) (int, error) {
	f.call("Write")
	if f.write != nil {
		n, err := f.write(ctx, p)
		f.got.Write(p[:n])
		return n, err
	}
	return f.got.Write(p)
}

func (f *fakePort) EndDoc(ctx context.Context, status spool.JobStatus) error {
	if status.Aborted() {
		f.aborts++
		if f.stuck && f.quicker > 0 {
			deadline, _ := ctx.Deadline()
			return errors.Join(pause(ctx, time.Until(deadline)-f.quicker), f.says)
		}
		if f.stuck {
			return f.hang(ctx)
		}
		return nil
	}
	f.call("EndDoc")
	if f.end != nil {
		return f.end(ctx)
	}
	return f.report()
}

func (f *fakePort) Close(context.Context) error {
	f.closed = true
	return nil
}

// hang is a call in which the module stays, deaf to cancellation.
func (f *fakePort) hang(ctx context.Context) error {
	f.stuck = true
	return f.obey(ctx)
}

// obey is a call that ends only when the host gives it up.
func (f *fakePort) obey(ctx context.Context) error {
	<-ctx.Done()
	return spoolerr.As(ctx.Err(), spoolerr.KindOf(ctx.Err()), "the call ended with its context")
}

type fakeMonitor struct {
	monitor.Monitor
	port *fakePort
	err  error
}

func (m *fakeMonitor) OpenPort(ctx context.Context, _ string) (monitor.Port, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, errors.New("no deadline")
	}
	return m.port, m.err
}

type fakeProcess struct {
	mu     sync.Mutex
	killed string
	ended  string
	done   chan struct{} // nil is a process that does not end
}

func (p *fakeProcess) Done() <-chan struct{} { return p.done }

func (p *fakeProcess) End(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed, p.ended = reason, reason
}

func (p *fakeProcess) EndedByHost() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended, p.ended != ""
}

// bench is one port with one job to print.
type bench struct {
	*testing.T
	fake    *fakePort
	proc    *fakeProcess
	port    *Port
	doc     spool.Doc
	src     io.ReaderAt
	stop    context.Context
	cancel  context.CancelCauseFunc
	sent    []int64
	waiting []string
	pauses  []time.Duration
}

const longDocument = 2*spool.ChunkSize + 1000

func newBench(t *testing.T, size int) *bench {
	t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7)
	}
	b := &bench{T: t, fake: &fakePort{}, proc: &fakeProcess{}, src: bytes.NewReader(data),
		doc: spool.Doc{JobID: 7, Title: "a", Size: int64(size), Attempt: 1}}
	limits := Limits{Call: 40 * time.Millisecond, Resource: 40 * time.Millisecond, Grace: 20 * time.Millisecond}
	port, err := Open(t.Context(), &fakeMonitor{port: b.fake}, b.proc, "LPT1:", limits)
	if err != nil {
		t.Fatal(err)
	}
	b.port = port
	b.port.pause = func(ctx context.Context, d time.Duration) error {
		b.pauses = append(b.pauses, d)
		return ctx.Err()
	}
	b.fake.report = func() error { return port.Reported(7, spool.JobControlSentToPrinter) }
	b.stop, b.cancel = context.WithCancelCause(t.Context())
	t.Cleanup(func() { b.cancel(nil) })
	return b
}

func (b *bench) Sent(n int64)          { b.sent = append(b.sent, n) }
func (b *bench) Waiting(reason string) { b.waiting = append(b.waiting, reason) }

// patient makes the deadlines so long that only a failing test meets them.
func (b *bench) patient() *bench {
	b.port.limits = Limits{Call: time.Minute, Resource: time.Minute, Grace: time.Minute}
	return b
}

func (b *bench) print() job.Result {
	b.Helper()
	return b.port.Print(b.Context(), b.stop, b.doc, b.src, b)
}

// printed prints and demands a whole document.
func (b *bench) printed() {
	b.Helper()
	want := make([]byte, b.doc.Size)
	if _, err := b.src.ReadAt(want, 0); err != nil && err != io.EOF {
		b.Fatal(err)
	}
	r := b.print()
	if r.Outcome != job.Sent || r.BytesSent != b.doc.Size || r.Error != "" {
		b.Errorf("result %+v", r)
	}
	if !bytes.Equal(b.fake.got.Bytes(), want) {
		b.Errorf("the device has %d bytes, not the document's %d", b.fake.got.Len(), len(want))
	}
}

// ends prints and demands an outcome.
func (b *bench) ends(want job.Outcome) job.Result {
	b.Helper()
	r := b.print()
	if r.Outcome != want || r.Error == "" && want != job.Sent {
		b.Errorf("result %+v, want %s", r, want)
	}
	return r
}

func (b *bench) killed(want bool) {
	b.Helper()
	b.proc.mu.Lock()
	defer b.proc.mu.Unlock()
	if (b.proc.killed != "") != want {
		b.Errorf("killed: %q, want %v", b.proc.killed, want)
	}
}
