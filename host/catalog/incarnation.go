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
	last, most uint64 // given, and taken from the store
}

// next gives a number that no process had before, whatever happens to the host.
func (n *incarnations) next(ctx context.Context, s store.Store) (uint64, error) {
	if number, ok := n.taken(); ok {
		return number, nil
	}
	const together = 64
	first, err := takeNumbers(ctx, s, together)
	if err != nil {
		return 0, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last == n.most { // else somebody has taken some meanwhile, and the rest of these stays unused
		n.last, n.most = first, first+together-1
	}
	return first, nil
}

func (n *incarnations) taken() (number uint64, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last == n.most {
		return 0, false
	}
	n.last++
	return n.last, true
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
