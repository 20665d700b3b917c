package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/spoolhost/spoolhost/host/store/internal/group"
	"github.com/spoolhost/spoolhost/host/store/internal/overlay"
)

// Update implements Store.
func (b *Bolt) Update(ctx context.Context, fn func(Tx) error) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.active.Done()
	return b.updates.Do(ctx, fn)
}

// commit runs the requests' functions and makes durable, with one sync, what they wrote.
func (b *Bolt) commit(requests []*group.Request[func(Tx) error]) error {
	if err := b.cause(); err != nil {
		return err
	}
	var batch *overlay.Layer
	err := guard(func() (err error) {
		batch, err = b.run(requests)
		return err
	})
	if errors.As(err, new(*panicError)) {
		b.fail(failure(b.path, err))
	}
	if err != nil || batch.Len() == 0 {
		return failure(b.path, err)
	}
	began := time.Now()
	if err := b.persist(batch); err != nil {
		if errors.As(err, new(*panicError)) {
			b.fail(failure(b.path, err))
		}
		return failure(b.path, err)
	}
	b.took(began)
	keys := make([]string, 0, batch.Len())
	for key := range batch.All() {
		keys = append(keys, key)
	}
	b.changes.Notify(keys)
	return nil
}

// run runs the functions, each on the result of those accepted before, and gives what they
// wrote.
func (b *Bolt) run(requests []*group.Request[func(Tx) error]) (*overlay.Layer, error) {
	below, above, err := b.pending.snapshot(b.db)
	if err != nil {
		return nil, err
	}
	defer func() { _ = guard(below.Rollback) }()
	batch := overlay.NewLayer()
	above = slices.Insert(above, 0, writes(batch))
	for _, r := range requests {
		if !r.Start() {
			continue
		}
		own, err := b.call(below, above, true, r.Fn)
		if err != nil {
			r.Err = err
			continue
		}
		for _, key := range own.Keys() {
			entry, _ := own.Get(key)
			batch.Set(key, entry)
		}
	}
	return batch, nil
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
		b.fail(b.uncertain(cause))
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
