package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// guard: a write is bound to the guard's value, also when it is changed by the same batch.
func guard(t *testing.T, f *fixture) {
	f.put("epoch", "1")
	owner := store.Guard(f.s, "epoch", "1")
	if err := owner.Update(t.Context(), func(tx store.Tx) error { return put(tx, "a", "1") }); err != nil {
		t.Fatalf("the owner: %v", err)
	}
	f.put("epoch", "2")
	refused := func(s store.Store) {
		t.Helper()
		err := s.Update(t.Context(), func(tx store.Tx) error { return put(tx, "a", "2") })
		if !errors.Is(err, store.ErrFenced) || !errors.Is(err, spoolerr.Precondition) {
			t.Errorf("a fenced update: %v", err)
		}
	}
	refused(owner)
	refused(store.Guard(f.s, "absent", "1"))
	f.expect("a", "", "a", "1")
	if err := owner.View(t.Context(), func(tx store.Tx) error { return expect(tx, "a", "", "a", "1") }); err != nil {
		t.Error(err)
	}
	next := store.Guard(f.s, "epoch", "2")
	if err := next.Update(t.Context(), func(tx store.Tx) error { return put(tx, "epoch", "3") }); err != nil {
		t.Error(err)
	}
	refused(next)
	if err := errors.Join(owner.Close(), owner.Close()); err != nil {
		t.Error(err)
	}
	if err := owner.View(t.Context(), func(store.Tx) error { return nil }); !errors.Is(err, spoolerr.Unavailable) {
		t.Errorf("a view of a closed one: %v", err)
	}
	f.put("open", "1")
}

// guardRaces: whoever holds the newest epoch has written last, however the writers race.
func guardRaces(t *testing.T, f *fixture) {
	const epochs, writers = 8, 4
	f.put("epoch", "0")
	var wg sync.WaitGroup
	for epoch := range epochs {
		for w := range writers {
			owner := store.Guard(f.s, "epoch", fmt.Sprint(epoch))
			wg.Go(func() {
				for range 10 {
					err := owner.Update(t.Context(), func(tx store.Tx) error {
						return put(tx, fmt.Sprint("last/", w), fmt.Sprint(epoch))
					})
					if err != nil && !errors.Is(err, store.ErrFenced) {
						t.Error(err)
					}
				}
			})
		}
		f.update(func(tx store.Tx) error { // takes over, and sees that nobody newer has written
			for item, err := range tx.Scan("last/", "") {
				if err != nil {
					return err
				}
				if string(item.Value) > fmt.Sprint(epoch) {
					t.Errorf("in epoch %d, %s was written by %s", epoch, item.Key, item.Value)
				}
			}
			return put(tx, "epoch", fmt.Sprint(epoch+1))
		})
		held := f.last()
		if now := f.last(); now != held {
			t.Errorf("a fenced owner wrote: %q, then %q", held, now)
		}
	}
	wg.Wait()
}

func (f *fixture) last() (all string) {
	f.t.Helper()
	err := f.s.View(f.t.Context(), func(tx store.Tx) error {
		all = ""
		for item, err := range tx.Scan("last/", "") {
			if err != nil {
				return err
			}
			all += item.Key + "=" + string(item.Value) + " "
		}
		return nil
	})
	if err != nil {
		f.t.Error(err)
	}
	return all
}
