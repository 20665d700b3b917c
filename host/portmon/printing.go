package portmon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// errUnconfirmed: EndDocPort succeeded but the monitor never reported the job sent.
var errUnconfirmed = errors.New("the monitor ended the document without reporting it as sent (JOB_CONTROL_SENT_TO_PRINTER)")

// printing is one document on its way through a port.
type printing struct {
	port     *Port
	doc      spool.Doc
	src      io.ReaderAt
	progress Progress

	started bool // StartDocPort succeeded: EndDocPort is owed
	givenUp bool // the last call was given up and may still be running in the module
	sent    int64
	offered int64  // sent, and what a call was given that has not answered
	call    string // the call under way, for messages
}

// all takes the document from StartDocPort to the monitor's report.
func (w *printing) all(ctx context.Context) error {
	if err := w.step(ctx, "StartDocPort", func(ctx context.Context) error {
		return w.port.port.StartDoc(ctx, w.doc)
	}); err != nil {
		return err
	}
	w.started = true
	if err := w.write(ctx); err != nil {
		return err
	}
	err := w.step(ctx, "EndDocPort", func(ctx context.Context) error {
		return w.port.port.EndDoc(ctx, spool.JobStatusPrinting)
	})
	w.started = false // whatever the answer: a document is ended once
	if err != nil {
		return err
	}
	return w.confirm(ctx)
}

func (w *printing) step(ctx context.Context, name string, call func(context.Context) error) error {
	w.call, w.givenUp = name, false
	err := timed(ctx, w.port.limits.Resource, call)
	w.givenUp = errors.Is(err, errExpired) || err != nil && ctx.Err() != nil
	return err
}

// write hands the document over in chunks. A short or empty write is no error: the
// device is slow, and the rest is offered again.
func (w *printing) write(ctx context.Context) error {
	buf := make([]byte, min(w.doc.Size, spool.ChunkSize))
	patience := newPatience(w.port.pause)
	w.port.offering(w.doc.Size == 0)
	for w.sent < w.doc.Size {
		chunk := buf[:min(int64(len(buf)), w.doc.Size-w.sent)]
		if n, err := w.src.ReadAt(chunk, w.sent); n < len(chunk) {
			return spoolerr.As(err, spoolerr.Corrupt, "document of job %d cannot be read at byte %d", w.doc.JobID, w.sent)
		}
		w.port.offering(w.sent+int64(len(chunk)) == w.doc.Size)
		for len(chunk) > 0 {
			w.offered = w.sent + int64(len(chunk))
			n, reason, err := w.writeOnce(ctx, chunk)
			w.sent += int64(n)
			if !w.givenUp && !errors.Is(err, spoolerr.Exited) {
				w.offered = w.sent
			}
			chunk = chunk[n:]
			if err != nil {
				return err
			}
			if n > 0 {
				w.progress.Sent(w.sent)
			}
			if err := patience.after(ctx, n, reason, w.progress); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeOnce gives the bytes taken and, if the device is not ready, why.
func (w *printing) writeOnce(ctx context.Context, chunk []byte) (n int, reason string, err error) {
	err = w.step(ctx, "WritePort", func(ctx context.Context) error {
		var callErr error
		n, callErr = w.port.port.Write(ctx, chunk)
		if errors.Is(callErr, spoolerr.NotReady) {
			reason, callErr = callErr.Error(), nil
		}
		return callErr
	})
	return n, reason, err
}

// confirm waits for the monitor's word that the device has everything. Most monitors
// give it within EndDocPort, and none gives it once it has ended.
func (w *printing) confirm(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, w.port.limits.Resource)
	defer cancel()
	select {
	case <-w.port.sentChannel():
		return nil
	case <-w.port.proc.Done():
		return errUnconfirmed
	case <-wait.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errUnconfirmed
	}
}

// result says how the attempt came out, and leaves the port ready for the next document
// or its process dead.
func (w *printing) result(ctx, run context.Context, err error) job.Result {
	r := job.Result{BytesSent: w.sent, Offered: w.offered}
	stopped := context.Cause(run)
	switch {
	case err == nil, w.port.wasSent():
		// Whatever came after the monitor's report, the device has the document.
		r.Outcome = job.Sent
		if err != nil {
			w.abort(ctx)
		}
		return r
	case errors.Is(err, spoolerr.Exited):
		r.Outcome, r.Error = job.Crashed, err.Error()
		if reason, ok := w.port.proc.EndedByHost(); ok {
			r.Outcome, r.Error = job.Interrupted, "the module was ended: "+reason
		}
		return r
	case run.Err() != nil:
		r.Outcome, r.Error = job.Stopped, stopped.Error()
	case errors.Is(err, errUnconfirmed):
		r.Outcome, r.Error = job.Unconfirmed, err.Error()
	case errors.Is(err, errExpired):
		r.Outcome = job.TimedOut
		r.Error = fmt.Sprintf("%s did not return within %v", w.call, w.port.limits.Resource)
	default:
		r.Outcome, r.Error = job.DeviceFailed, err.Error()
	}
	w.abort(ctx)
	return r
}

// abort ends a document that will not be finished. A module that does not answer this
// within the grace did not react to the cancelled call either: its process is ended.
func (w *printing) abort(ctx context.Context) {
	if !w.started && !w.givenUp {
		return
	}
	err := timed(ctx, w.port.limits.Grace, func(ctx context.Context) error {
		return w.port.port.EndDoc(ctx, spool.JobStatusDeleting)
	})
	if errors.Is(err, errExpired) {
		w.port.proc.End(fmt.Sprintf("port %s: %s did not react to cancellation within %v",
			spool.Quote(w.port.name), w.call, w.port.limits.Grace))
	}
}

// patience paces calls to a device that takes nothing, so that a module that answers at
// once is not called in a tight loop.
type patience struct {
	pause   func(context.Context, time.Duration) error
	delay   time.Duration
	waiting bool
}

const (
	firstPause = 20 * time.Millisecond
	maxPause   = time.Second
)

func newPatience(pause func(context.Context, time.Duration) error) *patience {
	return &patience{pause: pause, delay: firstPause}
}

func (p *patience) after(ctx context.Context, n int, reason string, progress Progress) error {
	if n > 0 && reason == "" {
		if p.waiting {
			p.waiting = false
			progress.Waiting("")
		}
		p.delay = firstPause
		return nil
	}
	if reason != "" || !p.waiting {
		p.waiting = true
		if reason == "" {
			reason = "the device takes no data"
		}
		progress.Waiting(reason)
	}
	d := p.delay
	p.delay = min(2*p.delay, maxPause)
	return p.pause(ctx, d)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
