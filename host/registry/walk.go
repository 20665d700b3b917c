package registry

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Entry is one key of a Walk, with its values in order of name.
type Entry struct {
	// Path is the key's, relative to the hive, as it was written first.
	Path      string
	LastWrite time.Time
	Values    []registry.Value
	// Damage says that some of its values or subkeys could not be read and are left out.
	Damage error
}

// Walk calls fn for the key and everything below it, each key before its subkeys, on one
// snapshot. It ends with fn's error. fn must not use the registry, and should be quick.
func (h *Hive) Walk(ctx context.Context, key string, fn func(Entry) error) error {
	return h.read(ctx, key, func(t *tx, p path) error { return t.walk(ctx, p, fn) })
}

func (t *tx) walk(ctx context.Context, p path, fn func(Entry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k, err := t.key(p)
	if err != nil {
		return err
	}
	values, badValues, err := t.values(p)
	if err != nil {
		return err
	}
	subKeys, badKeys, err := t.subKeys(p)
	if err != nil {
		return err
	}
	damage := errors.Join(badValues, badKeys)
	if err := fn(Entry{Path: p.String(), LastWrite: k.lastWrite, Values: values, Damage: damage}); err != nil {
		return err
	}
	for _, sub := range subKeys {
		below := p.append(path{{written: sub.Name, folded: spool.Fold(sub.Name)}})
		if err := t.walk(ctx, below, fn); err != nil {
			return err
		}
	}
	return nil
}

// Change is what happened in a watched subtree: the paths of the keys that were created,
// written or deleted, relative to the hive and folded. If All is set anything may have.
type Change struct {
	Paths []string
	All   bool
}

// Watcher waits for changes of a subtree.
type Watcher struct {
	from   *store.Watcher
	prefix string // of the store's names of keys
	top    string
}

// Watch tells of every change from now on of the key and what lies below it, whether or
// not it exists.
func (h *Hive) Watch(key string) (*Watcher, error) {
	p, err := parsePath(key)
	if err = cmp.Or(h.invalid, err); err != nil {
		return nil, err
	}
	prefix := h.prefix + "k/"
	return &Watcher{from: h.registry.store.Watch(prefix), prefix: prefix, top: p.folded()}, nil
}

// Next waits for a change, and gives everything that changed since it was called last.
func (w *Watcher) Next(ctx context.Context) (Change, error) {
	for {
		got, err := w.from.Next(ctx)
		if err != nil {
			return Change{}, err
		}
		change := Change{All: got.All}
		for _, key := range got.Keys {
			parent, base, _ := strings.Cut(strings.TrimPrefix(key, w.prefix), "\x00")
			at := strings.TrimPrefix(parent+`\`+base, `\`)
			if w.top == "" || at == w.top || strings.HasPrefix(at, w.top+`\`) {
				change.Paths = append(change.Paths, at)
			}
		}
		if change.All || len(change.Paths) > 0 {
			return change, nil
		}
	}
}

// Close ends the watch. It may be called again.
func (w *Watcher) Close() { w.from.Close() }
