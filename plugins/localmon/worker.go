package localmon

import (
	"bytes"
	"context"
	"io"
	"os"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/deadline"
)

// worker writes to a device whose driver can only block, so that a call can end while
// the driver does not. The bytes of such a call are the worker's: when the host comes
// again with them, it is told what became of them, and they are not written twice.
type worker struct {
	pieces  chan []byte
	results chan result
	quit    chan struct{}
	ended   chan struct{}

	// busy and taken belong to the caller of write: a piece is under way, and bytes were
	// taken of which no call has told yet.
	busy  bool
	taken int
}

type result struct {
	n   int
	err error
}

// pieceSize keeps a piece short even for a slow device, so that progress is seen.
const pieceSize = 8 << 10

func startWorker(w io.Writer) *worker {
	k := &worker{
		pieces: make(chan []byte, 1), results: make(chan result, 1),
		quit: make(chan struct{}), ended: make(chan struct{}),
	}
	go k.run(w)
	return k
}

func (k *worker) run(w io.Writer) {
	defer close(k.ended)
	for {
		select {
		case p := <-k.pieces:
			n, err := w.Write(p)
			k.results <- result{n, err}
		case <-k.quit:
			return
		}
	}
}

// write is deadline.Write by way of the worker.
func (k *worker) write(ctx context.Context, p []byte, patience time.Duration) (n int, err error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	timer := time.NewTimer(time.Until(deadline.Limit(ctx, patience)))
	defer timer.Stop()
	for {
		told := min(k.taken, len(p)-n)
		n += told
		k.taken -= told
		if n == len(p) || err != nil {
			return deadline.Verdict(ctx, n, len(p), err)
		}
		if !k.busy {
			k.pieces <- bytes.Clone(p[n:min(len(p), n+pieceSize)])
			k.busy = true
		}
		err = k.wait(ctx, timer.C)
	}
}

// wait waits for the piece under way.
func (k *worker) wait(ctx context.Context, limit <-chan time.Time) error {
	select {
	case r := <-k.results:
		k.busy = false
		k.taken += r.n
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	case <-limit:
		return os.ErrDeadlineExceeded
	case <-k.quit:
		return os.ErrClosed
	}
}

// settle waits for a piece that an earlier call left under way.
func (k *worker) settle(ctx context.Context, patience time.Duration) error {
	if !k.busy {
		return nil
	}
	timer := time.NewTimer(time.Until(deadline.Limit(ctx, patience)))
	defer timer.Stop()
	return k.wait(ctx, timer.C)
}

// stop ends the worker. A driver that never returns keeps its goroutine: waiting for it
// would hold up the whole instance, and only the end of the process frees it.
func (k *worker) stop() {
	close(k.quit)
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-k.ended:
	case <-timer.C:
	}
}
