package store

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// maxPending bounds what a slow watcher costs; beyond it only "anything" is remembered.
const maxPending = 4096

// Change is what happened since the last notice: the keys that were written or deleted,
// sorted, each once. If All is set the keys were too many, or not known: anything with
// the watcher's prefix may have changed.
type Change struct {
	Keys []string
	All  bool
}

// Watcher collects changes until its consumer asks. It never delays a commit.
type Watcher struct {
	prefix string
	since  int64 // commits up to this revision are not told of
	from   *Notifier
	wake   chan struct{} // holds one token while something is pending or closed is set

	mu      sync.Mutex
	pending map[string]struct{}
	all     bool
	closed  bool
}

// Next waits for a change, and gives everything that changed since it was called last.
// After Close it fails with spoolerr.Unavailable. It is for one goroutine at a time.
func (w *Watcher) Next(ctx context.Context) (Change, error) {
	for {
		select {
		case <-ctx.Done():
			return Change{}, spoolerr.Wrap(ctx.Err(), "waiting for a change of the store")
		case <-w.wake:
		}
		change, closed := w.take()
		if closed {
			return Change{}, spoolerr.New(spoolerr.Unavailable, 0, "the watched store is closed; open it again")
		}
		if change.All || len(change.Keys) > 0 {
			return change, nil
		}
	}
}

// Pending says that Next would not wait.
func (w *Watcher) Pending() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all || w.closed || len(w.pending) > 0
}

// Close ends the watch. It may be called again.
func (w *Watcher) Close() {
	w.from.drop(w)
	w.end()
}

func (w *Watcher) take() (change Change, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		w.signal() // every later Next has to see it too
		return Change{}, true
	}
	change.All = w.all
	for key := range w.pending {
		change.Keys = append(change.Keys, key)
	}
	slices.Sort(change.Keys)
	w.pending, w.all = nil, false
	return change, false
}

func (w *Watcher) add(keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		if w.all || !strings.HasPrefix(key, w.prefix) {
			continue
		}
		if w.pending == nil {
			w.pending = map[string]struct{}{}
		}
		w.pending[key] = struct{}{}
		if len(w.pending) > maxPending {
			w.pending, w.all = nil, true
		}
	}
	if w.all || len(w.pending) > 0 {
		w.signal()
	}
}

func (w *Watcher) addAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending, w.all = nil, true
	w.signal()
}

func (w *Watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.signal()
}

func (w *Watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Notifier is the part of Watch that every implementation of Store shares. Its zero
// value is ready for use.
type Notifier struct {
	mu       sync.Mutex
	watchers map[*Watcher]struct{}
	closed   bool
}

// Watch makes a watcher of the keys with the prefix.
func (n *Notifier) Watch(prefix string) *Watcher { return n.WatchSince(prefix, -1) }

// WatchSince makes one that is told only of commits beyond a revision.
func (n *Notifier) WatchSince(prefix string, revision int64) *Watcher {
	w := &Watcher{prefix: prefix, since: revision, from: n, wake: make(chan struct{}, 1)}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		w.end()
		return w
	}
	if n.watchers == nil {
		n.watchers = map[*Watcher]struct{}{}
	}
	n.watchers[w] = struct{}{}
	return w
}

// Notify tells the watchers of committed keys.
func (n *Notifier) Notify(keys []string) { n.NotifyAt(keys, 0) }

// NotifyAt tells them of keys committed at a revision.
func (n *Notifier) NotifyAt(keys []string, revision int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.watchers {
		if revision > w.since {
			w.add(keys)
		}
	}
}

// NotifyAll tells every watcher that anything may have changed.
func (n *Notifier) NotifyAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.watchers {
		w.addAll()
	}
}

// Close ends every watcher, present and future.
func (n *Notifier) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for w := range n.watchers {
		w.end()
	}
	n.watchers = nil
}

func (n *Notifier) drop(w *Watcher) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.watchers, w)
}
