package ports

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// store is the subkey Ports of an instance's root key. A subkey of it without values is
// what an AddPort that died half way left behind: it is not a port.
type store struct{ root registry.Key }

func path(name string) string { return `Ports\` + name }

// all ranges over the ports that are stored, in order of name.
func (s store) all(ctx context.Context) iter.Seq2[registry.SubKey, error] {
	return func(yield func(registry.SubKey, error) bool) {
		for sub, err := range registry.SubKeys(ctx, s.root, "Ports") {
			if errors.Is(err, spoolerr.NotFound) {
				return // no port was added yet
			}
			if !yield(sub, err) {
				return
			}
		}
	}
}

// read gives a port's values; ok says whether there is such a port.
func (s store) read(ctx context.Context, name string) (v Stored, ok bool, err error) {
	values, err := registry.ReadValues(ctx, s.root, path(name))
	if errors.Is(err, spoolerr.NotFound) {
		return Stored{}, false, nil
	}
	v = newStored(values)
	return v, err == nil && !v.empty(), err
}

// write stores a port's values in one transaction, and leaves no new key if it fails.
func (s store) write(ctx context.Context, name string, values []registry.Value) error {
	k, created, err := s.root.CreateKey(ctx, path(name))
	if err != nil {
		return err
	}
	defer closeKey(ctx, k)
	if err = k.SetValue(ctx, values...); err != nil && created {
		s.undo(ctx, name)
	}
	return err
}

// undo removes a key just created. The caller may have given up, which is often why it
// is called, so it takes a little time of its own; should it fail, the empty key counts
// for nothing.
func (s store) undo(ctx context.Context, name string) {
	ctx, cancel := ownTime(ctx)
	defer cancel()
	_ = s.root.DeleteKey(ctx, path(name))
}

func (s store) remove(ctx context.Context, name string) error {
	return s.root.DeleteKey(ctx, path(name))
}

func closeKey(ctx context.Context, k registry.Key) {
	ctx, cancel := ownTime(ctx)
	defer cancel()
	// A handle that cannot be closed is already gone.
	_ = k.CloseKey(ctx)
}

// ownTime is for what must be done even when the caller has given up.
func ownTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), time.Second)
}
