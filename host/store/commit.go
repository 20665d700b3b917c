package store

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"github.com/spoolhost/spoolhost/host/store/internal/group"
	"github.com/spoolhost/spoolhost/host/store/internal/overlay"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Update implements Store.
func (b *Bolt) Update(ctx context.Context, fn func(Tx) error) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.active.Done()
	return b.updates.Do(ctx, fn)
}

// commit runs the requests' functions in one transaction and makes it durable.
func (b *Bolt) commit(requests []*group.Request[func(Tx) error]) error {
	if err := b.cause(); err != nil {
		return err
	}
	var below *bbolt.Tx
	defer func() { b.release(below) }()
	var keys []string
	err := guard(func() (err error) {
		if below, err = b.db.Begin(true); err != nil {
			return err
		}
		if keys, err = b.run(below, requests); err != nil || len(keys) == 0 {
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
func (b *Bolt) run(below *bbolt.Tx, requests []*group.Request[func(Tx) error]) (keys []string, err error) {
	for _, r := range requests {
		if !r.Start() {
			continue
		}
		writes, err := b.call(below, true, r.Fn)
		if err != nil {
			r.Err = err
			continue
		}
		if err := apply(below, writes); err != nil {
			return nil, err
		}
		keys = append(keys, writes.Keys()...)
	}
	return keys, nil
}

func apply(below *bbolt.Tx, writes overlay.Overlay) error {
	bucket := below.Bucket([]byte(bucketName))
	for _, key := range writes.Keys() {
		entry, _ := writes.Get(key)
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

// cause says why no write may follow; nil: one may.
func (b *Bolt) cause() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

// fail stops all further writes.
func (b *Bolt) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken == nil {
		b.broken = err
	}
}
