// Package store is a small transactional key-value store: what the registry and the
// job queue sit on. OpenBolt is the embedded implementation; a cluster has another.
//
// The host's registry, job, spooler and cluster packages import it. It knows nothing of
// what the values mean. Its one goroutine is the checkpoint of a Bolt, which Close waits for.
package store

import (
	"context"
	"errors"
	"iter"
)

// The limits of one entry. They fit every implementation.
const (
	MaxKeyLen   = 32000
	MaxValueLen = 1280 << 10
)

// ErrUnknown is in the chain of the error of an Update of which nobody can tell whether it
// was committed: the connection to the cluster was lost in the middle. What the caller
// would undo on failure, it had better keep until it has looked.
var ErrUnknown = errors.New("it is not known whether the commit took place")

// Store is a transactional, ordered key-value store. Its transactions are serializable.
//
// A function given to View or Update must not call View, Update or Close of the same
// store, and must not keep the Tx; it should be short, for a long View makes the file
// grow.
type Store interface {
	// View runs fn on a consistent snapshot. Put and Delete are refused in it.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn and commits what it wrote; it returns nil only when that is durable.
	// fn may run again and may run on another goroutine: it must have no side effects
	// but on its Tx and on variables that each run sets anew. If fn fails, nothing of it
	// is kept and Update returns its error unchanged. A ctx that ends before fn starts
	// prevents it; a ctx that ends later does not. An error with ErrUnknown in its chain
	// leaves open whether it was committed.
	Update(ctx context.Context, fn func(Tx) error) error
	// Watch tells of every commit from now on that changes a key with the prefix.
	Watch(prefix string) *Watcher
	// Close waits for running transactions and gives the storage back. It may be called
	// again. Every other call then fails with spoolerr.Unavailable.
	Close() error
}

// Tx is a transaction. It is not for concurrent use. Keys are 1 to MaxKeyLen bytes.
type Tx interface {
	// Get gives a copy of the value. spoolerr.NotFound: there is none; spoolerr.Corrupt:
	// it is damaged.
	Get(key string) ([]byte, error)
	// Put stores a copy of the value.
	Put(key string, value []byte) error
	// Delete removes the key. That it is absent is no error.
	Delete(key string) error
	// Scan ranges, in byte order, over the entries whose key has the prefix and is
	// strictly greater than after. A damaged entry is yielded with its key and an error of
	// kind spoolerr.Corrupt, and the scan goes on; an error with an empty key ends it.
	// Writes made between two steps are seen if they lie ahead.
	Scan(prefix, after string) iter.Seq2[Item, error]
}

// Item is one entry of a Scan. Value is the caller's to keep.
type Item struct {
	Key   string
	Value []byte
}
