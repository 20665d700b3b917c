package registry

import (
	"context"
	"errors"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Handle is an open key of a Root (HKEYMONITOR). It is never 0, and never used twice in
// the life of a Registry.
type Handle uint64

// Root is MONITORREG for one monitor instance: the keys below a path, reached by
// handles, within a limit. It is safe for concurrent use. A key that is deleted while it
// is open is CodeFileNotFound from then on.
type Root struct {
	hive  *Hive
	limit rootLimit
	bad   error // the path was malformed

	mu      sync.Mutex
	handles map[Handle]*openKey
	closed  bool
}

// openKey is what a handle stands for.
type openKey struct {
	path   path
	keys   position // of the last EnumKey
	values position // of the last EnumValue
}

// Root gives the part of the hive below key to limit.Owner. The key is created by Open.
func (h *Hive) Root(key string, limit Limit) *Root {
	p, err := parsePath(key)
	return &Root{
		hive:    h,
		limit:   newRootLimit(limit, p),
		bad:     err,
		handles: map[Handle]*openKey{},
	}
}

// Path is the root key's path in its hive.
func (r *Root) Path() string { return r.limit.path.String() }

// Open gives a handle of the root key itself.
func (r *Root) Open(ctx context.Context) (Handle, error) {
	if r.bad != nil {
		return 0, r.bad
	}
	return r.opening(r.limit.path, func() error {
		return r.hive.update(ctx, nil, func(t *tx) error { return t.ensureRoot(r.limit.path) })
	})
}

// CreateKey opens the subkey, creating it and its parents if needed; created says which.
func (r *Root) CreateKey(ctx context.Context, h Handle, sub string) (opened Handle, created bool, err error) {
	base, full, err := r.resolve(h, sub)
	if err != nil {
		return 0, false, err
	}
	opened, err = r.opening(full, func() error {
		return r.hive.update(ctx, &r.limit, func(t *tx) (err error) {
			if _, err = t.key(base); err != nil {
				return err
			}
			created, err = t.create(full, len(base))
			return err
		})
	})
	return opened, created && err == nil, err
}

// OpenKey opens an existing subkey. The empty path opens the key itself again.
func (r *Root) OpenKey(ctx context.Context, h Handle, sub string) (Handle, error) {
	_, full, err := r.resolve(h, sub)
	if err != nil {
		return 0, err
	}
	return r.opening(full, func() error {
		return r.hive.view(ctx, func(t *tx) error {
			_, err := t.key(full)
			return err
		})
	})
}

// CloseKey gives a handle back.
func (r *Root) CloseKey(_ context.Context, h Handle) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.handles[h]; !ok {
		return r.badHandle(h)
	}
	delete(r.handles, h)
	return nil
}

// DeleteKey removes a subkey with its values. A subkey that has subkeys is refused.
func (r *Root) DeleteKey(ctx context.Context, h Handle, sub string) error {
	base, full, err := r.resolve(h, sub)
	if err != nil {
		return err
	}
	if len(base) == len(full) {
		return rootStays()
	}
	return r.hive.update(ctx, &r.limit, func(t *tx) error { return t.remove(full) })
}

// EnumKey gives the direct subkey at index, in order of name. Counting up is cheap.
func (r *Root) EnumKey(ctx context.Context, h Handle, index uint32) (info registry.KeyInfo, err error) {
	k, err := r.snapshot(h)
	if err != nil {
		return registry.KeyInfo{}, err
	}
	err = r.hive.view(ctx, func(t *tx) (err error) {
		info, k.keys, err = t.enumKey(k.path, index, k.keys)
		return err
	})
	r.remember(h, func(open *openKey) { open.keys = k.keys })
	return info, err
}

// QueryInfoKey gives counts and maximum lengths.
func (r *Root) QueryInfoKey(ctx context.Context, h Handle) (info registry.Info, err error) {
	k, err := r.snapshot(h)
	if err != nil {
		return registry.Info{}, err
	}
	err = r.hive.view(ctx, func(t *tx) (err error) {
		info, err = t.info(k.path)
		return err
	})
	return info, err
}

// SetValue stores one or several values, all or none.
func (r *Root) SetValue(ctx context.Context, h Handle, values ...registry.Value) error {
	k, err := r.snapshot(h)
	if err != nil {
		return err
	}
	return r.hive.setValues(ctx, &r.limit, k.path, values)
}

// DeleteValue removes a value.
func (r *Root) DeleteValue(ctx context.Context, h Handle, value string) error {
	k, err := r.snapshot(h)
	if err != nil {
		return err
	}
	return r.hive.deleteValue(ctx, &r.limit, k.path, value)
}

// EnumValue gives the value at index, in order of name. most bounds its data as in
// QueryValue.
func (r *Root) EnumValue(ctx context.Context, h Handle, index, most uint32) (v registry.Value, err error) {
	k, err := r.snapshot(h)
	if err != nil {
		return registry.Value{}, err
	}
	err = r.hive.view(ctx, func(t *tx) (err error) {
		v, k.values, err = t.enumValue(k.path, index, k.values)
		return err
	})
	r.remember(h, func(open *openKey) { open.values = k.values })
	if err != nil {
		return registry.Value{}, err
	}
	return v, fits(v, most)
}

// QueryValue gives a value; the empty name is the key's default value. Data longer than
// most bytes is spoolerr.MoreData; the value is returned nevertheless, for its length is
// what the caller has to make room for.
func (r *Root) QueryValue(ctx context.Context, h Handle, value string, most uint32) (v registry.Value, err error) {
	k, err := r.snapshot(h)
	if err != nil {
		return registry.Value{}, err
	}
	if err := checkValueName(value); err != nil {
		return registry.Value{}, err
	}
	err = r.hive.view(ctx, func(t *tx) (err error) {
		if _, err = t.key(k.path); err != nil {
			return err
		}
		v, err = t.value(k.path, value)
		return err
	})
	if err != nil {
		return registry.Value{}, err
	}
	return v, fits(v, most)
}

// mostTogether bounds what QueryMultipleValues gives, in bytes of data.
const mostTogether = 1 << 20

// QueryMultipleValues gives all values of a subkey, in order of name and from one moment.
func (r *Root) QueryMultipleValues(ctx context.Context, h Handle, sub string) (list []registry.Value, err error) {
	_, full, err := r.resolve(h, sub)
	if err != nil {
		return nil, err
	}
	err = r.hive.view(ctx, func(t *tx) error {
		if _, err := t.key(full); err != nil {
			return err
		}
		var damage error
		list, damage, err = t.values(full)
		return errors.Join(err, damage)
	})
	if err != nil {
		return nil, err
	}
	size := 0
	for _, v := range list {
		size += len(v.Data)
	}
	if size > mostTogether {
		return nil, spoolerr.New(spoolerr.MoreData, 0, "registry key %s has %d bytes of values; ask for them one by one", spool.Quote(full.String()), size)
	}
	return list, nil
}

// QuerySubKeys gives direct subkeys of a subkey with all their values, in order of name:
// those after the one called after, as many as fit. None is the end.
func (r *Root) QuerySubKeys(ctx context.Context, h Handle, sub, after string) (list []registry.SubKey, err error) {
	_, full, err := r.resolve(h, sub)
	if err != nil {
		return nil, err
	}
	err = r.hive.view(ctx, func(t *tx) (err error) {
		list, err = t.subKeysAfter(full, spool.Fold(after))
		return err
	})
	return list, err
}

// Close makes every handle, and every later call, spoolerr.BadHandle. It may be called
// again.
func (r *Root) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	clear(r.handles)
	return nil
}

func fits(v registry.Value, most uint32) error {
	if uint64(len(v.Data)) <= uint64(most) {
		return nil
	}
	return spoolerr.New(spoolerr.MoreData, 0, "registry value %s has %d bytes, there is room for %d; make more",
		spool.Quote(v.Name), len(v.Data), most)
}
