// Package portmon is the concrete Port in front of every port of a module: it owns the
// document that is being printed, cuts it into chunks, gives every call its deadline,
// understands partial writes and "not ready", and says how the attempt came out, also
// when the module hangs or dies.
//
// spooler imports it. It does not choose jobs, keep records or restart modules.
package portmon

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Limits are the deadlines of a port.
type Limits struct {
	// Call bounds calls that only control, Resource those that move data: a call that
	// outlives it is given up.
	Call, Resource time.Duration
	// Grace is how long a module may take to react to a call that was given up, before
	// its process is ended.
	Grace time.Duration
}

// DefaultLimits are those of the design: 30 s, 180 s, 5 s.
func DefaultLimits() Limits {
	return Limits{Call: 30 * time.Second, Resource: 180 * time.Second, Grace: 5 * time.Second}
}

// Process is the module's process, as far as a port needs it.
type Process interface {
	// End ends a process that hangs, without waiting for it.
	End(reason string)
	// EndedByHost says that the host has ended it, or has begun to.
	EndedByHost() (reason string, ok bool)
	// Done is closed when it has ended.
	Done() <-chan struct{}
}

// Port is an open port. It takes one document at a time.
type Port struct {
	name   string
	port   monitor.Port
	proc   Process
	limits Limits
	pause  func(context.Context, time.Duration) error // replaced by tests

	busy sync.Mutex // held while a document prints

	mu    sync.Mutex
	doc   uint64        // the job being printed; 0 if none
	whole bool          // its last byte has been offered to the monitor
	sent  chan struct{} // closed when the monitor has reported that job sent
}

// Opener opens ports: a monitor instance, or what stands for one in the host itself.
type Opener interface {
	OpenPort(ctx context.Context, name string) (monitor.Port, error)
}

// Open opens a port of a monitor instance.
func Open(ctx context.Context, m Opener, proc Process, name string, limits Limits) (*Port, error) {
	ctx, cancel := context.WithTimeout(about(ctx, name), limits.Call)
	defer cancel()
	p, err := m.OpenPort(ctx, name)
	if err != nil {
		return nil, err
	}
	return &Port{name: name, port: p, proc: proc, limits: limits, pause: pause}, nil
}

// Close closes the port; a document that prints must have been stopped before.
func (p *Port) Close(ctx context.Context) error {
	p.busy.Lock()
	defer p.busy.Unlock()
	ctx, cancel := context.WithTimeout(about(ctx, p.name), p.limits.Call)
	defer cancel()
	return p.port.Close(ctx)
}

// about puts the port into the reason if one of its calls costs the process its life.
func about(ctx context.Context, port string) context.Context {
	return supervisor.About(ctx, "port "+spool.Quote(port))
}

// Reported takes the monitor's SetJob. It refuses a job that this port is not printing,
// and one whose last byte the monitor has not seen: believed, it would lose a document
// whose printing fails afterwards.
func (p *Port) Reported(jobID uint64, control spool.JobControl) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doc != jobID || jobID == 0 {
		return spoolerr.New(spoolerr.Invalid, 0, "job %d is not being printed at port %s", jobID, spool.Quote(p.name))
	}
	if control != spool.JobControlSentToPrinter && control != spool.JobControlLastPageEjected {
		return spoolerr.New(spoolerr.Invalid, 0, "SetJob command %d is not one that a port monitor may send", control)
	}
	if !p.whole {
		return spoolerr.New(spoolerr.Precondition, 0, "job %d cannot be with the device: its last byte has not been written to port %s yet",
			jobID, spool.Quote(p.name))
	}
	select {
	case <-p.sent:
	default:
		close(p.sent)
	}
	return nil
}

// Progress tells the owner of a document how it goes.
type Progress interface {
	// Sent is told the bytes taken so far.
	Sent(bytes int64)
	// Waiting is told that the device takes nothing now, and what the module said; an
	// empty reason means that data flows again.
	Waiting(reason string)
}

// Print prints one document and says how it came out. stop ends it early with an error
// that becomes the result's text; ctx must not end before Print returns.
func (p *Port) Print(ctx context.Context, stop context.Context, doc spool.Doc, src io.ReaderAt, progress Progress) job.Result {
	p.busy.Lock()
	defer p.busy.Unlock()
	p.setDoc(doc.JobID)
	defer p.setDoc(0)
	ctx = about(ctx, p.name)
	run, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	unhook := context.AfterFunc(stop, func() { cancel(context.Cause(stop)) })
	defer unhook()
	r := &printing{port: p, doc: doc, src: src, progress: progress}
	return r.result(ctx, run, r.all(run))
}

func (p *Port) setDoc(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doc, p.whole, p.sent = id, false, make(chan struct{})
}

// offering notes that the next write, or none if the document is empty, completes it.
func (p *Port) offering(whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole = whole
}

func (p *Port) sentChannel() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

func (p *Port) wasSent() bool {
	select {
	case <-p.sentChannel():
		return true
	default:
		return false
	}
}

// errExpired marks a call that this package gave up at its own deadline, as against a
// time-out that the module reports of its device.
var errExpired = errors.New("the call was given up at its deadline")

// timed runs one call under a deadline of its own.
func timed(ctx context.Context, d time.Duration, call func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := call(limited)
	if err == nil || ctx.Err() != nil || errors.Is(err, spoolerr.Exited) {
		return err
	}
	if overdue(limited, d, err) {
		return errExpired
	}
	return err
}

// overdue says that a call failed because its deadline came. The other end keeps the same
// deadline by a timer of its own: its refusal (of a call that waits for an earlier one:
// Busy) may be here before our own timer has fired, and is no answer of the module.
func overdue(limited context.Context, d time.Duration, err error) bool {
	deadline, _ := limited.Deadline()
	left := time.Until(deadline)
	switch spoolerr.KindOf(err) {
	case spoolerr.TimedOut, spoolerr.Cancelled, spoolerr.Busy:
		return left < d/20
	}
	return left <= 0
}
