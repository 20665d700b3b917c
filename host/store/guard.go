package store

import (
	"context"
	"errors"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// ErrFenced is in the chain of every error by which a guarded store refuses a write.
var ErrFenced = errors.New("the guard of the store has changed")

// Guarded is a Store whose writes are bound to a condition: what an owner writes through,
// so that it can write nothing once it is no longer the owner. Guard makes one.
type Guarded struct {
	below Store
	key   string
	value string

	mu     sync.Mutex
	closed bool
	active sync.WaitGroup
}

var _ Store = (*Guarded)(nil)

// Guard gives s with every Update bound to key holding exactly value: it is committed
// while that is so, else it fails with ErrFenced (spoolerr.Precondition) and nothing is
// kept; the function does not even run. Views and watches are not bound. The function of
// an Update may read the key, and change it.
//
// Closing the guarded store ends it and its running transactions, not s.
func Guard(s Store, key, value string) *Guarded { return &Guarded{below: s, key: key, value: value} }

// View implements Store.
func (g *Guarded) View(ctx context.Context, fn func(Tx) error) error {
	if err := g.enter(); err != nil {
		return err
	}
	defer g.active.Done()
	return g.below.View(ctx, fn)
}

// Update implements Store.
func (g *Guarded) Update(ctx context.Context, fn func(Tx) error) error {
	if err := g.enter(); err != nil {
		return err
	}
	defer g.active.Done()
	return g.below.Update(ctx, func(tx Tx) error {
		// The read makes it part of what the commit depends on.
		if err := g.check(tx); err != nil {
			return err
		}
		return fn(tx)
	})
}

func (g *Guarded) check(tx Tx) error {
	value, err := tx.Get(g.key)
	switch {
	case errors.Is(err, spoolerr.NotFound), err == nil && string(value) != g.value:
		return spoolerr.As(ErrFenced, spoolerr.Precondition,
			"nothing was written: entry %s no longer has the value %s; another owner has taken over",
			spool.Quote(g.key), spool.Quote(g.value))
	}
	return err
}

// Watch implements Store.
func (g *Guarded) Watch(prefix string) *Watcher { return g.below.Watch(prefix) }

// Close implements Store.
func (g *Guarded) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.active.Wait()
	return nil
}

func (g *Guarded) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return closed(g.key)
	}
	g.active.Add(1)
	return nil
}
