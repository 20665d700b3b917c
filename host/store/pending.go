package store

import (
	"sync"

	"go.etcd.io/bbolt"

	"github.com/spoolhost/spoolhost/host/store/internal/overlay"
)

// writes is what a transaction looks through before it looks into the bucket: an
// *overlay.Overlay or an *overlay.Layer.
type writes interface {
	Get(key string) (entry []byte, written bool)
	Next(prefix, after string) (string, bool)
}

// pending is what has been committed to the journals and is not in bbolt's file yet. What is
// in a layer that was published does not change.
type pending struct {
	mu     sync.RWMutex
	frozen *overlay.Layer // what a checkpoint puts into the file; nil: there is none
	active *overlay.Layer // what was committed after it
}

// above gives the layers from the newest on. The caller keeps them from changing.
func (p *pending) above() (list []writes) {
	if p.active.Len() > 0 {
		list = append(list, p.active)
	}
	if p.frozen != nil {
		list = append(list, p.frozen)
	}
	return list
}

// snapshot begins a transaction of bbolt's together with the layers above it: a checkpoint
// may end before or after, and not between.
func (p *pending) snapshot(db *bbolt.DB) (*bbolt.Tx, []writes, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	below, err := db.Begin(false)
	return below, p.above(), err
}

// add makes a commit visible.
func (p *pending) add(batch *overlay.Layer) {
	p.mu.RLock()
	next := p.active.Copy()
	p.mu.RUnlock()
	for key, entry := range batch.All() {
		next.Set(key, entry)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active = next
}

// freeze gives what is committed so far to a checkpoint.
func (p *pending) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen, p.active = p.active, overlay.NewLayer()
}

// thaw forgets what a checkpoint has put into the file: what was frozen, or all.
func (p *pending) thaw(all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = nil
	if all {
		p.active = overlay.NewLayer()
	}
}

// checkpointing says whether something is frozen.
func (p *pending) checkpointing() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.frozen != nil
}

// layers gives them from the oldest on.
func (p *pending) layers() (list []*overlay.Layer) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.frozen != nil {
		list = append(list, p.frozen)
	}
	return append(list, p.active)
}
