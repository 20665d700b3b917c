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
	byFile  bool   // the module has a descriptor of the document
	parts   parts
	chunks  chunks
}

// all takes the document from StartDocPort to the monitor's report.
func (w *printing) all(ctx context.Context) error {
	if over, err := w.together(ctx); over || err != nil {
		return err
	}
	if !w.started {
		if err := w.start(ctx); err != nil {
			return err
		}
	}
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

// answered says that the module has said how much it took.
func (w *printing) answered(err error) bool { return !w.givenUp && !errors.Is(err, spoolerr.Exited) }

func unreadable(doc spool.Doc, at int64, err error) error {
	return spoolerr.As(err, spoolerr.Corrupt, "document of job %d cannot be read at byte %d", doc.JobID, at)
}

func (w *printing) step(ctx context.Context, name string, call func(context.Context) error) error {
	w.call, w.givenUp = name, false
	err := timed(ctx, w.port.limits.Resource, call)
	w.givenUp = errors.Is(err, errExpired) || err != nil && ctx.Err() != nil
	return err
}

// write hands the document over part by part. A short or empty write is no error: the
// device is slow, and the rest is offered again.
func (w *printing) write(ctx context.Context) error {
	patience := newPatience(w.port.pause)
	w.port.offering(w.doc.Size == 0)
	for {
		end, whole, err := w.extent(ctx)
		if err != nil || whole && w.sent >= end {
			return err
		}
		part, call, err := w.next(end - w.sent)
		if err != nil {
			return err
		}
		w.port.offering(whole && w.sent+part == end)
		w.offered = w.sent + part
		n, reason, err := w.writeOnce(ctx, call)
		w.sent += n
		if w.answered(err) {
			w.offered = w.sent
		}
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

// next gives the length of the part that comes next, of so many bytes left, and the call
// that hands it over.
func (w *printing) next(left int64) (part int64, call func(context.Context) (int64, error), err error) {
	if w.byFile {
		part = w.parts.next(left)
		return part, func(ctx context.Context) (int64, error) {
			began := time.Now()
			defer func() { w.parts.took(time.Since(began)) }()
			return w.port.port.(filePort).WriteRange(ctx, w.sent, part)
		}, nil
	}
	chunk, err := w.chunks.at(w.src, w.sent, min(left, spool.ChunkSize))
	if err != nil {
		return 0, nil, unreadable(w.doc, w.sent, err)
	}
	return int64(len(chunk)), func(ctx context.Context) (int64, error) {
		n, err := w.port.port.Write(ctx, chunk)
		return int64(n), err
	}, nil
}

// writeOnce gives the bytes taken and, if the device is not ready, why.
func (w *printing) writeOnce(ctx context.Context, call func(context.Context) (int64, error)) (n int64, reason string, err error) {
	err = w.step(ctx, "WritePort", func(ctx context.Context) error {
		var callErr error
		n, callErr = call(ctx)
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
