package registry

import (
	"bytes"
	"cmp"
	"context"
	"errors"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Hive is the registry of one spooler. Paths are relative to its root, which always
// exists and is the empty path. It is safe for concurrent use and needs no closing.
//
// Errors carry ClusterReg's codes: CodeFileNotFound for what is missing, CodeAccessDenied
// for deleting a key that has subkeys, CodeNoMoreItems at the end of an enumeration,
// CodeInvalidName for a bad name.
type Hive struct {
	registry *Registry
	spooler  string
	prefix   string
	invalid  error
}

// CreateKey makes a key and its parents; created says whether it was missing.
func (h *Hive) CreateKey(ctx context.Context, key string) (created bool, err error) {
	p, err := parsePath(key)
	if err != nil {
		return false, err
	}
	err = h.update(ctx, nil, func(t *tx) (err error) {
		created, err = t.create(p, 0)
		return err
	})
	return created && err == nil, err
}

// DeleteKey removes a key with its values. One that has subkeys is refused.
func (h *Hive) DeleteKey(ctx context.Context, key string) error {
	p, err := parsePath(key)
	if err != nil {
		return err
	}
	if len(p) == 0 {
		return rootStays()
	}
	return h.update(ctx, nil, func(t *tx) error { return t.remove(p) })
}

// DeleteTree removes a key with everything below it, in one transaction. Of the hive's
// root it removes the content.
func (h *Hive) DeleteTree(ctx context.Context, key string) error {
	p, err := parsePath(key)
	if err != nil {
		return err
	}
	return h.update(ctx, nil, func(t *tx) error { return t.removeTree(p) })
}

// KeyExists says whether a key exists.
func (h *Hive) KeyExists(ctx context.Context, key string) (bool, error) {
	err := h.read(ctx, key, func(t *tx, p path) error {
		_, err := t.key(p)
		return err
	})
	if errors.Is(err, spoolerr.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// EnumKey gives the direct subkey at index, in order of name. To list them all use
// SubKeys: each call here starts from the first.
func (h *Hive) EnumKey(ctx context.Context, key string, index uint32) (info registry.KeyInfo, err error) {
	err = h.read(ctx, key, func(t *tx, p path) (err error) {
		info, _, err = t.enumKey(p, index, position{})
		return err
	})
	return info, err
}

// SubKeys lists the direct subkeys in order of name. If some are damaged it gives the
// others together with an error of kind spoolerr.Corrupt.
func (h *Hive) SubKeys(ctx context.Context, key string) (list []registry.KeyInfo, err error) {
	var damage error
	err = h.readKey(ctx, key, func(t *tx, p path) (err error) {
		list, damage, err = t.subKeys(p)
		return err
	})
	return list, cmp.Or(err, damage)
}

// QueryInfoKey gives counts and maximum lengths.
func (h *Hive) QueryInfoKey(ctx context.Context, key string) (info registry.Info, err error) {
	err = h.read(ctx, key, func(t *tx, p path) (err error) {
		info, err = t.info(p)
		return err
	})
	return info, err
}

// SetValues stores values of an existing key, all or none.
func (h *Hive) SetValues(ctx context.Context, key string, values ...registry.Value) error {
	p, err := parsePath(key)
	if err != nil {
		return err
	}
	return h.setValues(ctx, nil, p, values)
}

// DeleteValue removes a value.
func (h *Hive) DeleteValue(ctx context.Context, key, value string) error {
	p, err := parsePath(key)
	if err != nil {
		return err
	}
	return h.deleteValue(ctx, nil, p, value)
}

// QueryValue gives a value; the empty name is the key's default value.
func (h *Hive) QueryValue(ctx context.Context, key, value string) (v registry.Value, err error) {
	if err := checkValueName(value); err != nil {
		return registry.Value{}, err
	}
	err = h.readKey(ctx, key, func(t *tx, p path) (err error) {
		v, err = t.value(p, value)
		return err
	})
	return v, err
}

// EnumValue gives the value at index, in order of name. To list them all use Values.
func (h *Hive) EnumValue(ctx context.Context, key string, index uint32) (v registry.Value, err error) {
	err = h.read(ctx, key, func(t *tx, p path) (err error) {
		v, _, err = t.enumValue(p, index, position{})
		return err
	})
	return v, err
}

// Values lists the values in order of name. If some are damaged it gives the others
// together with an error of kind spoolerr.Corrupt.
func (h *Hive) Values(ctx context.Context, key string) (list []registry.Value, err error) {
	var damage error
	err = h.readKey(ctx, key, func(t *tx, p path) (err error) {
		list, damage, err = t.values(p)
		return err
	})
	return list, cmp.Or(err, damage)
}

// read runs fn on a snapshot.
func (h *Hive) read(ctx context.Context, key string, fn func(*tx, path) error) error {
	p, err := parsePath(key)
	if err != nil {
		return err
	}
	return h.view(ctx, func(t *tx) error { return fn(t, p) })
}

// readKey runs fn on a snapshot in which the key exists.
func (h *Hive) readKey(ctx context.Context, key string, fn func(*tx, path) error) error {
	return h.read(ctx, key, func(t *tx, p path) error {
		if _, err := t.key(p); err != nil {
			return err
		}
		return fn(t, p)
	})
}

func (h *Hive) setValues(ctx context.Context, limit *rootLimit, p path, values []registry.Value) error {
	for _, v := range values {
		if err := checkValue(v); err != nil {
			return err
		}
	}
	if limit != nil && limit.pace != nil && h.unchanged(ctx, p, values) {
		return nil
	}
	return h.update(ctx, limit, func(t *tx) error {
		if len(values) == 0 {
			_, err := t.key(p)
			return err
		}
		if err := t.touch(p); err != nil {
			return err
		}
		for _, v := range values {
			if err := t.set(p, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// unchanged says that all values are there as they are to be.
func (h *Hive) unchanged(ctx context.Context, p path, values []registry.Value) bool {
	same := len(values) > 0
	err := h.view(ctx, func(t *tx) error {
		for _, v := range values {
			old, err := t.value(p, v.Name)
			if err != nil {
				return err
			}
			same = same && old.Type == v.Type && bytes.Equal(old.Data, v.Data)
		}
		return nil
	})
	return err == nil && same
}

func (h *Hive) deleteValue(ctx context.Context, limit *rootLimit, p path, value string) error {
	if err := checkValueName(value); err != nil {
		return err
	}
	return h.update(ctx, limit, func(t *tx) error {
		if err := t.touch(p); err != nil {
			return err
		}
		return t.unset(p, value)
	})
}

func rootStays() error {
	return spoolerr.New(spoolerr.Invalid, 0, "the root of a registry cannot be deleted; name a subkey")
}
