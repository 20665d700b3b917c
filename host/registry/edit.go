package registry

import (
	"context"

	"github.com/spoolhost/spoolhost/sdk/registry"
)

// Edit is one transaction on a hive, for what must be stored together. Its paths are those
// of the hive.
type Edit struct{ t *tx }

// Edit runs fn and stores what it changed, all or nothing, if what lies below root stays
// within the limit. root must exist. fn may run again.
func (h *Hive) Edit(ctx context.Context, root string, limit Limit, fn func(*Edit) error) error {
	p, err := parsePath(root)
	if err != nil {
		return err
	}
	return h.update(ctx, &rootLimit{Limit: limit.withDefaults(), path: p}, func(t *tx) error {
		if _, err := t.key(p); err != nil {
			return err
		}
		if err := t.ensureRoot(p); err != nil {
			return err
		}
		return fn(&Edit{t})
	})
}

// Set stores values and creates their key.
func (e *Edit) Set(key string, values ...registry.Value) error {
	p, err := parsePath(key)
	if err != nil {
		return err
	}
	if _, err := e.t.create(p, 0); err != nil {
		return err
	}
	if err := e.t.touch(p); err != nil {
		return err
	}
	for _, v := range values {
		if err := checkValue(v); err != nil {
			return err
		}
		if err := e.t.set(p, v); err != nil {
			return err
		}
	}
	return nil
}

// DeleteValue removes a value, which must be there.
func (e *Edit) DeleteValue(key, value string) error {
	p, err := parsePath(key)
	if err != nil {
		return err
	}
	if err := checkValueName(value); err != nil {
		return err
	}
	if err := e.t.touch(p); err != nil {
		return err
	}
	return e.t.unset(p, value)
}

// DeleteTree removes a key, which must be there, with everything below it.
func (e *Edit) DeleteTree(key string) error {
	p, err := parsePath(key)
	if err != nil {
		return err
	}
	if len(p) == 0 {
		return rootStays()
	}
	return e.t.removeTree(p)
}

// SubKeys lists the direct subkeys of a key.
func (e *Edit) SubKeys(key string) ([]registry.KeyInfo, error) {
	p, err := parsePath(key)
	if err != nil {
		return nil, err
	}
	list, damage, err := e.t.subKeys(p)
	if err == nil {
		err = damage
	}
	return list, err
}
