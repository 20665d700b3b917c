package store

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// maxBatch bounds how many functions share a commit, and so how long the first waits.
const maxBatch = 1024

// The states of a request.
const (
	queued int32 = iota
	started
	withdrawn
)

// request is one caller of Update.
type request struct {
	ctx   context.Context
	fn    func(Tx) error
	state atomic.Int32
	// err is written by the leader before the batch is done, read by the caller after.
	err error
}

// batch is a group of requests that share one commit. The caller who forms it leads it:
// waits until the batch before is done, and commits. Who comes while it waits joins; who
// comes later forms the next. So a lone caller waits for nobody, and a crowd shares the
// disk's time, without a goroutine or a timer.
type batch struct {
	requests []*request
	sealed   bool            // nobody may join any more
	before   <-chan struct{} // the end of the batch before; nil: there is none
	done     chan struct{}
}

// Update implements Store.
func (b *Bolt) Update(ctx context.Context, fn func(Tx) error) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.active.Done()
	r := &request{ctx: ctx, fn: fn}
	mine, leader := b.join(r)
	if leader {
		b.lead(mine)
		return r.err
	}
	select {
	case <-mine.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(queued, withdrawn) {
			return skipped(ctx, b.path)
		}
		<-mine.done
	}
	return r.err
}

func (b *Bolt) join(r *request) (mine *batch, leader bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.tail; t != nil && !t.sealed && len(t.requests) < maxBatch {
		t.requests = append(t.requests, r)
		return t, false
	}
	mine = &batch{requests: []*request{r}, done: make(chan struct{})}
	if b.tail != nil {
		mine.before = b.tail.done
	}
	b.tail = mine
	return mine, true
}

// lead commits the batch. Whatever happens, even a Goexit in some function, nobody is
// left waiting.
func (b *Bolt) lead(mine *batch) {
	if mine.before != nil {
		<-mine.before
		runtime.Gosched() // those just released may bring their next at once
	}
	b.mu.Lock()
	mine.sealed = true
	err := b.broken
	b.mu.Unlock()
	defer close(mine.done)
	if err != nil {
		mine.settle(err)
		return
	}
	err = spoolerr.New(spoolerr.Internal, 0, "a function given to store %s ended its goroutine", b.path)
	defer func() { mine.settle(err) }()
	err = b.commit(mine)
}

// settle gives every request without an error of its own the batch's.
func (mine *batch) settle(err error) {
	for _, r := range mine.requests {
		if r.err == nil {
			r.err = err
		}
	}
}

// commit runs the batch's functions in one transaction and makes it durable.
func (b *Bolt) commit(mine *batch) error {
	var below *bbolt.Tx
	defer func() { b.release(below) }()
	var keys []string
	err := guard(func() (err error) {
		if below, err = b.db.Begin(true); err != nil {
			return err
		}
		if keys, err = b.run(below, mine.requests); err != nil || len(keys) == 0 {
			return err
		}
		id, began := below.ID(), time.Now()
		if err = below.Commit(); err != nil {
			b.doubt(id, err)
		} else if b.timed != nil {
			b.timed(time.Since(began))
		}
		return err
	})
	if errors.As(err, new(*panicError)) {
		b.fail(failure(b.path, err))
	}
	if err == nil && len(keys) > 0 {
		b.changes.Notify(keys)
	}
	return failure(b.path, err)
}

// run runs the functions, each on the result of those accepted before, and gives the
// keys they wrote.
func (b *Bolt) run(below *bbolt.Tx, requests []*request) (keys []string, err error) {
	for _, r := range requests {
		if r.ctx.Err() != nil || !r.state.CompareAndSwap(queued, started) {
			r.err = skipped(r.ctx, b.path)
			continue
		}
		writes, err := b.call(below, true, r.fn)
		if err != nil {
			r.err = err
			continue
		}
		if err := apply(below, writes); err != nil {
			return nil, err
		}
		keys = append(keys, writes.keys...)
	}
	return keys, nil
}

func apply(below *bbolt.Tx, writes overlay) error {
	bucket := below.Bucket([]byte(bucketName))
	for _, key := range writes.keys {
		entry := writes.entries[key]
		var err error
		if entry == nil {
			err = bucket.Delete([]byte(key))
		} else {
			err = bucket.Put([]byte(key), entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// release ends a transaction that was not committed. If bbolt cannot even do that its
// writer lock stays held, and no write may be tried again.
func (b *Bolt) release(below *bbolt.Tx) {
	if below == nil || below.DB() == nil {
		return
	}
	if err := guard(below.Rollback); err != nil {
		b.fail(failure(b.path, err))
		b.mu.Lock()
		b.stuck = true
		b.mu.Unlock()
	}
}

// doubt looks whether a commit that failed can be seen all the same: then its last sync
// failed, nobody knows what the disk holds, and only opening the file anew can tell.
func (b *Bolt) doubt(id int, cause error) {
	below, err := b.db.Begin(false)
	if err != nil {
		return
	}
	defer func() { _ = below.Rollback() }()
	if below.ID() >= id {
		b.fail(spoolerr.As(cause, spoolerr.Unavailable,
			"store %s: the disk failed in the middle of a commit; check the disk, then restart the host", b.path))
	}
}

// fail stops all further writes.
func (b *Bolt) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken == nil {
		b.broken = err
	}
}

func skipped(ctx context.Context, path string) error {
	return spoolerr.Wrap(ctx.Err(), "store %s was not changed", path)
}
