// Package etcd is the implementation of store.Store on etcd: what the spoolers of a
// cluster keep their state in.
//
// The host's cluster engine imports it. It makes no connections and no leases: it is
// given a client. Its transactions are optimistic: a function runs on a snapshot, what it
// read is remembered, and the commit holds only if none of that has changed; else the
// function runs again.
package etcd

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/internal/group"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Options are the options of Open.
type Options struct {
	// Prefix stands before all keys; empty stands for "/spoolhost/".
	Prefix string
	// Writer names this store among those of the same prefix: the node's name. Two that
	// share a name are correct but slow.
	Writer string
	// Timeout is how long a transaction tries to reach a quorum before it fails with
	// spoolerr.Unavailable; 0 stands for 5 s.
	Timeout time.Duration
	// Committed, if set, is told how long each commit took.
	Committed func(took time.Duration)
	// LeaderChanged, if set, gives a channel that is closed when etcd has another leader.
	LeaderChanged func() <-chan struct{}
}

// Store is a store.Store below a prefix of etcd. Concurrent Updates share a commit.
type Store struct {
	client  *clientv3.Client
	name    string // for messages
	data    string // before every key of an entry
	marker  string // the key of this writer's last commit
	deleted string // the key that every deletion writes
	life    string // tells this Store from others of the same writer
	timeout time.Duration
	timed   func(took time.Duration)
	elected func() <-chan struct{}
	changes store.Notifier
	updates group.Group[func(store.Tx) error]

	first  atomic.Int64 // the first revision known, from which the watch begins
	seen   atomic.Int64 // the highest
	own    atomic.Int64 // that of the last commit of this store
	told   told
	serial int64 // of the last batch; this and the next are the leader's
	marked int64 // the revision of the last commit; 0: to be asked
	ops    int   // how many operations a transaction may have; 0: to be asked
	stop   context.CancelFunc
	stops  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	active sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open makes a store on the client, which stays the caller's and must outlive it. It
// starts watching, until Close. It waits for nothing: a store whose etcd does not answer
// opens, and what is asked of it fails until it does.
func Open(client *clientv3.Client, opts Options) *Store {
	if opts.Prefix == "" {
		opts.Prefix = "/spoolhost/"
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 5 * time.Second
	}
	s := &Store{
		client: client, name: "etcd at " + strings.Join(client.Endpoints(), ", "),
		data: opts.Prefix + "k/", marker: opts.Prefix + "w/" + opts.Writer, deleted: opts.Prefix + "d",
		life: lifeID(), timeout: opts.Timeout, timed: opts.Committed, elected: opts.LeaderChanged,
	}
	if len(client.Endpoints()) == 0 {
		s.name = "the cluster's etcd" // it runs in this process
	}
	s.updates.Name, s.updates.Commit = s.name, s.commit
	watching, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.stops.Go(func() { s.watch(watching) })
	return s
}

// View implements store.Store. It asks a quorum for the newest revision.
func (s *Store) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.active.Done()
	until, cancel := context.WithTimeout(ctx, s.timeout)
	snap, err := s.freshRetried(until)
	cancel()
	for {
		if err != nil {
			return s.failure(err)
		}
		snap.ctx = ctx
		if err := s.call(&tx{s: s, snap: snap}, fn); snap.err == nil {
			return err
		}
		if !errors.Is(snap.err, errStale) {
			return s.failure(snap.err)
		}
		until, cancel := context.WithTimeout(ctx, s.timeout)
		snap, err = s.freshRetried(until)
		cancel()
	}
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.active.Done()
	return s.updates.Do(ctx, fn)
}

// call runs fn. A panic of its own is its error.
func (s *Store) call(t *tx, fn func(store.Tx) error) (err error) {
	defer func() { t.ended = true }()
	defer func() {
		if r := recover(); r != nil {
			err = spoolerr.New(spoolerr.Internal, 0, "a function given to %s panicked: %v", s.name, r)
		}
	}()
	return fn(t)
}

// Watch implements store.Store.
func (s *Store) Watch(prefix string) *store.Watcher {
	return s.changes.WatchSince(prefix, s.seen.Load())
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.active.Wait()
	s.stop()
	s.stops.Wait()
	s.changes.Close()
	return nil
}

// enter counts a transaction, so that Close can wait for it.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return spoolerr.Wrap(err, "%s was not asked", s.name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return spoolerr.New(spoolerr.Unavailable, 0, "%s is closed; the host is stopping", s.name)
	}
	s.active.Add(1)
	return nil
}

// note remembers the highest revision. Who watches since before the first may have missed
// something.
func (s *Store) note(revision int64) {
	if s.first.CompareAndSwap(0, revision) {
		s.changes.NotifyAll()
	}
	for {
		known := s.seen.Load()
		if revision <= known || s.seen.CompareAndSwap(known, revision) {
			return
		}
	}
}
