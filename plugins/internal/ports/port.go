package ports

import (
	"context"
	"errors"

	"os"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Target is a device, connection or file that was opened for one document. Its errors
// are worded; those of a context, and os.ErrDeadlineExceeded, it passes on as they are.
type Target interface {
	// Write takes bytes, in time for ctx. os.ErrDeadlineExceeded says that it took none.
	Write(ctx context.Context, p []byte) (int, error)
	// Finish sees the document delivered. It calls stalled if that takes long because no
	// data is taken. Drop or Release follows.
	Finish(ctx context.Context, stalled func()) error
	// Release ends the target after a good Finish.
	Release()
	// Drop ends the target at once, its document incomplete. It may be called twice, and
	// while another goroutine still writes or finishes.
	Drop()
	// Condition is that the device takes no data, and what to check.
	Condition() spool.PortStatus
}

// Open opens the target of a port for a document. ctx ends when the port is closed.
type Open func(ctx context.Context, port string, doc spool.Doc) (Target, error)

// Port is the monitor.Port of a first-party monitor: the order of calls, the reports to
// the spooler, and one document at a time; the rest is the Target's.
type Port struct {
	Slot Slot[*Job]
	// Unsized is set by monitors whose targets need not know how long a document is.
	Unsized bool
	book    *Book
	open    Open
	spooler monitor.Spooler

	// call is held by StartDoc, Write and EndDoc. It guards the document.
	call      sync.Mutex
	condition *Condition
}

// Job is the document in a port.
type Job struct {
	Target
	id     uint64
	sent   int64
	broken error
}

// OpenPort finds the port called name and marks it open. It opens no device: StartDoc
// does, with the settings of that moment. check refuses settings that cannot be used.
func (b *Book) OpenPort(ctx context.Context, init monitor.Init, name string, open Open, check func(context.Context, string) error) (*Port, error) {
	p := &Port{
		Slot: Slot[*Job]{Name: name}, book: b, open: open, spooler: init.Spooler,
		condition: newCondition(name, init),
	}
	if err := b.Use(name, &p.Slot); err != nil {
		return nil, err
	}
	if err := check(ctx, name); err != nil {
		b.Release(name)
		return nil, err
	}
	return p, nil
}

// TakesUnsized implements monitor.UnsizedPort.
func (p *Port) TakesUnsized() bool { return p.Unsized }

// Condition takes what the device says of itself.
func (p *Port) Condition() *Condition { return p.condition }

// StartDoc opens the target.
func (p *Port) StartDoc(ctx context.Context, doc spool.Doc) error {
	p.call.Lock()
	defer p.call.Unlock()
	opening, err := p.Slot.Prepare(ctx)
	if err != nil {
		return err
	}
	t, err := p.open(opening, p.Slot.Name, doc)
	if err != nil {
		p.condition.lost()
		return p.Slot.Fail(err)
	}
	if err := p.Slot.Fill(&Job{Target: t, id: doc.JobID}); err != nil {
		return err
	}
	p.condition.reached(ctx)
	return nil
}

// Write hands bytes to the target. A device that takes none is not ready, no more: the
// document goes on as soon as the device does.
func (p *Port) Write(ctx context.Context, b []byte) (int, error) {
	p.call.Lock()
	defer p.call.Unlock()
	j, err := p.Slot.Current()
	if err != nil {
		return 0, err
	}
	if j.broken != nil {
		return 0, j.broken
	}
	n, err := j.Write(ctx, b)
	j.sent += int64(n)
	if n > 0 {
		p.condition.working(ctx)
	}
	return n, p.writeError(ctx, j, err)
}

func (p *Port) writeError(ctx context.Context, j *Job, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.condition.warn(ctx, j.Condition())
		return spoolerr.New(spoolerr.NotReady, 0, "port %s: %s", spool.Quote(p.Slot.Name), j.Condition().String())
	case errors.Is(err, ctx.Err()):
		return spoolerr.Wrap(err, "port %s: writing was given up after %d bytes", spool.Quote(p.Slot.Name), j.sent)
	}
	j.broken = p.wrap(err)
	return j.broken
}

// EndDoc sees the document delivered and reports it, or drops it.
func (p *Port) EndDoc(ctx context.Context, status spool.JobStatus) error {
	p.call.Lock()
	defer p.call.Unlock()
	id, sent, err := p.end(ctx, status)
	if err != nil || !sent {
		return err
	}
	return spoolerr.Wrap(p.spooler.SetJob(ctx, id, spool.JobControlSentToPrinter),
		"port %s: job %d is delivered, but the spooler could not be told", spool.Quote(p.Slot.Name), id)
}

// EndDocSent is EndDoc whose answer is the report.
func (p *Port) EndDocSent(ctx context.Context, status spool.JobStatus) (sent bool, err error) {
	p.call.Lock()
	defer p.call.Unlock()
	_, sent, err = p.end(ctx, status)
	return sent, err
}

func (p *Port) end(ctx context.Context, status spool.JobStatus) (id uint64, sent bool, err error) {
	j, err := p.Slot.Current()
	if err != nil {
		if status.Aborted() && errors.Is(err, spoolerr.CodeNoStartDoc) {
			return 0, false, nil // there is nothing to drop
		}
		return 0, false, err
	}
	err = p.finish(ctx, j, status)
	p.Slot.Empty()
	p.condition.working(ctx)
	return j.id, err == nil && !status.Aborted(), err
}

// finish ends the target, one way or the other.
func (p *Port) finish(ctx context.Context, j *Job, status spool.JobStatus) (err error) {
	switch {
	case status.Aborted():
	case j.broken != nil:
		err = j.broken
	default:
		if err = j.Finish(ctx, func() { p.condition.warn(ctx, j.Condition()) }); err == nil {
			j.Release()
			return nil
		}
		err = p.wrap(err)
	}
	j.Drop()
	return err
}

// Close gives the port back. A document in it is dropped. It may be called twice.
func (p *Port) Close(context.Context) error {
	if p.Slot.Close() {
		p.book.Release(p.Slot.Name)
	}
	return nil
}

func (p *Port) wrap(err error) error { return spoolerr.Wrap(err, "port %s", spool.Quote(p.Slot.Name)) }
