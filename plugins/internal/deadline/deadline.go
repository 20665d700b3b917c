// Package deadline writes to a device that may be slow for hours, in calls that each
// return in time: before their context's deadline, and at once when it is cancelled.
//
// The first-party monitors import it. It opens and closes nothing, and does not word
// errors: it does not know the port.
package deadline

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Writer is a connection or a device file that the runtime can wait for.
type Writer interface {
	Write(p []byte) (int, error)
	SetWriteDeadline(t time.Time) error
}

// Write writes p, waiting no longer than patience. Taken bytes are success even when
// they are few; os.ErrDeadlineExceeded says that the device took none. When ctx ends it
// gives the count so far and ctx's error.
func Write(ctx context.Context, w Writer, p []byte, patience time.Duration) (n int, err error) {
	if ctx.Err() != nil || len(p) == 0 {
		return 0, ctx.Err()
	}
	if err := w.SetWriteDeadline(Limit(ctx, patience)); err != nil {
		return 0, err
	}
	stop := whenDone(ctx, func() { _ = w.SetWriteDeadline(past()) })
	n, err = w.Write(p)
	stop()
	return Verdict(ctx, n, len(p), err)
}

// Copy writes what r holds, as Write does; where it can, the kernel carries the bytes.
func Copy(ctx context.Context, w Writer, r *spool.DocumentReader, patience time.Duration) (n int64, err error) {
	want := r.Len()
	if ctx.Err() != nil || want == 0 {
		return 0, ctx.Err()
	}
	if err := w.SetWriteDeadline(Limit(ctx, patience)); err != nil {
		return 0, err
	}
	stop := whenDone(ctx, func() { _ = w.SetWriteDeadline(past()) })
	n, err = r.WriteTo(w)
	stop()
	took, err := Verdict(ctx, int(n), int(want), err)
	return int64(took), err
}

// Reader is a connection or a device file that the runtime can wait for.
type Reader interface {
	Read(p []byte) (int, error)
	SetReadDeadline(t time.Time) error
}

// Read reads what there is, waiting no longer than patience: os.ErrDeadlineExceeded says
// that nothing came. When ctx ends it gives ctx's error.
func Read(ctx context.Context, r Reader, p []byte, patience time.Duration) (n int, err error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err := r.SetReadDeadline(Limit(ctx, patience)); err != nil {
		return 0, err
	}
	stop := whenDone(ctx, func() { _ = r.SetReadDeadline(past()) })
	n, err = r.Read(p)
	stop()
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		err = ctx.Err()
	}
	return n, err
}

// Verdict is what a write of want bytes came to, once ctx is taken into account.
func Verdict(ctx context.Context, n, want int, err error) (int, error) {
	late := errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case n == want:
		return n, nil
	case late && ctx.Err() != nil:
		return n, ctx.Err()
	case late && n > 0:
		return n, nil
	}
	return n, err
}

// Limit is the time until which a call may wait: patience from now, but early enough to
// answer before ctx's deadline.
func Limit(ctx context.Context, patience time.Duration) time.Time {
	now := time.Now()
	limit := now.Add(patience)
	if end, ok := ctx.Deadline(); ok {
		left := end.Sub(now)
		if early := end.Add(-min(left/10, 2*time.Second)); early.Before(limit) {
			return early
		}
	}
	return limit
}

// past is a deadline that ends a write under way.
func past() time.Time { return time.Unix(1, 0) }

// whenDone runs f if ctx ends before stop is called. stop waits for an f under way, so
// that it cannot spoil the deadline of the next call.
func whenDone(ctx context.Context, f func()) (stop func()) {
	ended := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(ended)
		f()
	})
	return func() {
		if !cancel() {
			<-ended
		}
	}
}
