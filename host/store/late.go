package store

import (
	"context"
	"sync/atomic"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Late is a Store for what is made ready before it may write: everything can be read, and
// nothing is written until Bind. An Update that finds all as it should be succeeds before.
type Late struct {
	Store
	bound atomic.Pointer[Store]
}

var _ Store = (*Late)(nil)

// NewLate makes one that reads s.
func NewLate(s Store) *Late { return &Late{Store: s} }

// Bind gives the store that is written through from now on. It holds what the other has.
func (l *Late) Bind(s Store) { l.bound.Store(&s) }

// Update implements Store.
func (l *Late) Update(ctx context.Context, fn func(Tx) error) error {
	if s := l.bound.Load(); s != nil {
		return (*s).Update(ctx, fn)
	}
	return l.View(ctx, func(tx Tx) error { return fn(readOnly{tx}) })
}

// readOnly refuses writes.
type readOnly struct{ Tx }

func (readOnly) Put(key string, _ []byte) error { return tooEarly(key) }
func (readOnly) Delete(key string) error        { return tooEarly(key) }

func tooEarly(key string) error {
	return spoolerr.New(spoolerr.Unavailable, 0, "entry %s cannot be written yet: this node only gets ready to own the spooler", spool.Quote(key))
}

// Told waits until the watchers of s know of every commit that was made before the last
// one through it. Watchers of most stores always do.
func Told(ctx context.Context, s Store) error {
	if t, ok := s.(interface {
		Told(ctx context.Context) error
	}); ok {
		return t.Told(ctx)
	}
	return nil
}
