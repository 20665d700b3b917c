package api

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/mem"

	"github.com/spoolhost/spoolhost/host/pointprint/filepart"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The bounds of what reading files costs, however many clients read at once.
const (
	// readersAtOnce is how many streams are being sent at a time; all others wait, in the order
	// in which they came.
	readersAtOnce = 32
	// readersWaiting is how many may wait.
	readersWaiting = 8192
	// readersTurn is how long a stream is sent before others have their turn, and readersPatience
	// how long its client may take nothing. So at most six times readersAtOnce have something in
	// memory that nobody takes.
	readersTurn     = 5 * time.Second
	readersPatience = 30 * time.Second
	// A message has firstPart bytes until the client has taken some, and then fullPart.
	firstPart  = 31 << 10
	fullPart   = 128 << 10
	smallParts = 8
)

// readers are the streams of files that are under way.
type readers struct {
	turn, patience time.Duration

	places      *semaphore.Weighted // fair: first come, first served
	all         atomic.Int64
	first, full *filepart.Pool
}

func newReaders(atOnce int64, turn, patience time.Duration) *readers {
	return &readers{
		turn: turn, patience: patience,
		places: semaphore.NewWeighted(atOnce), first: filepart.NewPool(firstPart), full: filepart.NewPool(fullPart),
	}
}

// reader is one stream.
type reader struct {
	of    *readers
	lapse *time.Timer // ends the turn of one whose client takes nothing
	give  func()      // gives the place back, once
	ends  time.Time   // of the turn
	taken int         // messages
}

// enter waits for a stream's first turn.
func (rs *readers) enter(ctx context.Context) (*reader, error) {
	if rs.all.Add(1) > readersWaiting {
		rs.all.Add(-1)
		return nil, spoolerr.New(spoolerr.Busy, 0, "%d files are being read already; ask again", readersWaiting)
	}
	r := &reader{of: rs, give: func() {}}
	if err := r.turn(ctx); err != nil {
		rs.all.Add(-1)
		return nil, err
	}
	return r, nil
}

// turn goes to the end of the queue if the stream has had its turn, and waits for the next.
func (r *reader) turn(ctx context.Context) error {
	if time.Now().Before(r.ends) {
		return nil
	}
	r.end()
	if err := r.of.places.Acquire(ctx, 1); err != nil {
		return spoolerr.As(err, spoolerr.Cancelled, "the reader is gone")
	}
	r.give = sync.OnceFunc(func() { r.of.places.Release(1) })
	r.ends = time.Now().Add(r.of.turn)
	r.lapse = time.AfterFunc(r.of.turn, r.give)
	return nil
}

// end gives the place back.
func (r *reader) end() {
	if r.lapse != nil {
		r.lapse.Stop()
	}
	r.give()
}

// leave ends the stream.
func (r *reader) leave() {
	r.end()
	r.of.all.Add(-1)
}

// next gives room for the next part. gRPC gives it back when it has gone.
func (r *reader) next(left int64) mem.Buffer {
	pool, part := r.of.full, int64(fullPart)
	if r.taken < smallParts {
		pool, part = r.of.first, firstPart
	}
	return mem.NewBuffer(pool.Get(int(min(part, left))), pool)
}

// send sends a part. When it gives up, that may still be under way: gRPC ends it with the call.
func (r *reader) send(send func() error) error {
	done := make(chan error, 1)
	go func() { done <- send() }()
	patience := time.NewTimer(r.of.patience)
	defer patience.Stop()
	select {
	case err := <-done:
		r.taken++
		return err
	case <-patience.C:
		return spoolerr.New(spoolerr.TimedOut, 0, "the client has taken nothing for %s; it may ask for the rest", r.of.patience)
	}
}
