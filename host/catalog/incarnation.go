package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// incarnations number the processes. They are taken from the store many at a time: a module
// that starts again need not wait for the disk. What a host has not used when it ends is
// never used.
type incarnations struct {
	mu         sync.Mutex
	last, most uint64        // given, and taken from the store
	taking     chan struct{} // closed when those are there that somebody takes; nil if nobody does
}

// next gives a number that no process had before, whatever happens to the host, and greater
// than those it gave before.
func (n *incarnations) next(ctx context.Context, s store.Store) (uint64, error) {
	for {
		number, taking, first := n.given()
		if number != 0 {
			return number, nil
		}
		if first {
			if err := n.take(ctx, s, taking); err != nil {
				return 0, err
			}
			continue
		}
		select {
		case <-taking:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// given gives a number that is there, or 0; then others are being taken from the store, or
// are to be, by the first who asks.
func (n *incarnations) given() (number uint64, taking chan struct{}, first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last < n.most {
		n.last++
		return n.last, nil, false
	}
	if first = n.taking == nil; first {
		n.taking = make(chan struct{})
	}
	return 0, n.taking, first
}

func (n *incarnations) take(ctx context.Context, s store.Store, taking chan struct{}) error {
	const together = 64
	first, err := takeNumbers(ctx, s, together)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		n.last, n.most = first-1, first+together-1
	}
	n.taking = nil
	close(taking)
	return err
}

func takeNumbers(ctx context.Context, s store.Store, count uint64) (first uint64, err error) {
	const key = "catalog/incarnation"
	err = s.Update(ctx, func(tx store.Tx) error {
		data, err := tx.Get(key)
		if err != nil && !errors.Is(err, spoolerr.NotFound) {
			return err
		}
		first = 1
		switch {
		case len(data) == 8:
			first = binary.BigEndian.Uint64(data) + 1
		case err == nil: // to begin anew would give numbers a second time
			return spoolerr.New(spoolerr.Corrupt, 0, "the number of the last module process, %s, is damaged in the database; restore it from a backup", spool.Quote(key))
		}
		return tx.Put(key, binary.BigEndian.AppendUint64(nil, first+count-1))
	})
	return first, err
}
