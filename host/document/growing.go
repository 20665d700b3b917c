package document

import (
	"context"
	"sync"
)

// Growing is a document that is read while it is being written. It is safe for concurrent
// use.
type Growing struct {
	store *Store
	name  string

	mu      sync.Mutex
	arrived int64
	whole   bool
	changed chan struct{} // closed at the next change; nil if nobody waits
}

// Follow lets a document be read while it is being written. Only one that has a file of its
// own can be, which it gets with its first byte beyond MaxInline; before, it gives nil.
func (w *Writer) Follow() *Growing {
	if w.file == nil || w.ended {
		return nil
	}
	if w.followed == nil {
		w.followed = &Growing{store: w.store, name: w.name, arrived: w.size}
	}
	return w.followed
}

// ID is the name that the document will have in its Ref.
func (g *Growing) ID() string { return g.name }

// Finish says that the document is whole, and may be read to its end.
func (g *Growing) Finish() { g.change(func() { g.whole = true }) }

// Size is how many bytes have come.
func (g *Growing) Size() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.arrived
}

// Open opens it for reading; the Document's Arrived says how far that may go.
func (g *Growing) Open(context.Context) (*Document, error) {
	f, err := g.store.root.Open(g.name)
	if err != nil {
		return nil, g.store.failure(g.name, err)
	}
	return &Document{file: f, store: g.store, growing: g}, nil
}

func (g *Growing) grow(size int64) { g.change(func() { g.arrived = size }) }

func (g *Growing) change(how func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	how()
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

// readable is how many bytes may be read, and whether they are all. As long as the document
// may still be given up its last byte is kept back: nobody can then have the whole of it.
func (g *Growing) readable() (n int64, whole bool, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.whole {
		return g.arrived, true, nil
	}
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return g.arrived - 1, false, g.changed
}

// Arrived gives how many bytes may be read. It waits until there are more than from, or
// until it is known that there will be no more: then they are the whole document.
func (d *Document) Arrived(ctx context.Context, from int64) (n int64, whole bool, err error) {
	if d.growing == nil {
		return d.size, true, nil
	}
	for {
		n, whole, changed := d.growing.readable()
		if whole || n > from {
			return n, whole, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return n, false, ctx.Err()
		}
	}
}

// length is the document's, as far as it is known.
func (d *Document) length() int64 {
	if d.growing == nil {
		return d.size
	}
	return d.growing.Size()
}
