package registry

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// tx is one transaction on a hive. It collects what each root's usage changed by, and
// settles it once, at the end.
type tx struct {
	store.Tx
	hive  *Hive
	now   time.Time
	delta map[string]usage // by the root's usage record
	plain map[string]bool  // usage records known not to exist
}

func (h *Hive) view(ctx context.Context, fn func(*tx) error) error {
	if h.invalid != nil {
		return h.invalid
	}
	return h.registry.store.View(ctx, func(below store.Tx) error {
		return fn(&tx{Tx: below, hive: h})
	})
}

func (h *Hive) update(ctx context.Context, limit *rootLimit, fn func(*tx) error) error {
	if h.invalid != nil {
		return h.invalid
	}
	if err := limit.wait(ctx); err != nil {
		return err
	}
	return h.registry.store.Update(ctx, func(below store.Tx) error {
		t := &tx{Tx: below, hive: h, now: h.registry.now(), delta: map[string]usage{}, plain: map[string]bool{}}
		if err := fn(t); err != nil {
			return err
		}
		return t.settle(limit)
	})
}

// key gives the record of p. A hive's root exists always.
func (t *tx) key(p path) (keyRecord, error) {
	b, err := t.Get(t.hive.keyName(p))
	if errors.Is(err, spoolerr.NotFound) {
		if len(p) == 0 {
			return keyRecord{lastWrite: time.Unix(0, 0).UTC()}, nil
		}
		return keyRecord{}, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound,
			"registry key %s of spooler %s does not exist", spool.Quote(p.String()), spool.Quote(t.hive.spooler))
	}
	if err != nil {
		return keyRecord{}, spoolerr.Wrap(err, "registry key %s", spool.Quote(p.String()))
	}
	return decodeKey(b)
}

// touch marks p, which must exist, as written. A damaged record is made good.
func (t *tx) touch(p path) error {
	k, err := t.key(p)
	if errors.Is(err, spoolerr.Corrupt) {
		k, err = keyRecord{name: p.base().written}, nil
	}
	if err != nil {
		return err
	}
	k.lastWrite = t.now
	k.changes++
	return t.Put(t.hive.keyName(p), k.encode())
}

// create makes p, whose parents from depth known on may be missing.
func (t *tx) create(p path, known int) (created bool, err error) {
	if len(p) > MaxDepth {
		return false, tooDeep(p.String())
	}
	for n := known + 1; n <= len(p); n++ {
		sub := p[:n]
		_, err := t.key(sub)
		if err == nil {
			continue
		}
		if !errors.Is(err, spoolerr.NotFound) {
			return false, err
		}
		if err := t.make(sub); err != nil {
			return false, err
		}
		created = true
	}
	return created, nil
}

func (t *tx) make(p path) error {
	k := keyRecord{name: p.base().written, lastWrite: t.now}
	if err := t.Put(t.hive.keyName(p), k.encode()); err != nil {
		return err
	}
	if err := t.count(p.parent(), usage{bytes: int64(len(k.name)), keys: 1}); err != nil {
		return err
	}
	return t.touch(p.parent())
}

// children ranges over the entries of the direct subkeys of p.
func (t *tx) children(p path) iter.Seq2[store.Item, error] {
	prefix := t.hive.keysUnder(p)
	return t.Scan(prefix, prefix) // after the prefix itself: that is the hive's root
}

// remove deletes one key without subkeys, with its values.
func (t *tx) remove(p path) error {
	k, err := t.key(p)
	if err != nil && !errors.Is(err, spoolerr.Corrupt) {
		return err
	}
	for item, err := range t.children(p) {
		if item.Key == "" {
			return err
		}
		return spoolerr.New(spoolerr.Denied, spoolerr.CodeAccessDenied,
			"registry key %s has subkeys; delete them first", spool.Quote(p.String()))
	}
	return t.drop(p, k, t.hive.valuesOf(p))
}

// removeTree deletes a key with everything below it.
func (t *tx) removeTree(p path) error {
	k, err := t.key(p)
	if err != nil && !errors.Is(err, spoolerr.Corrupt) {
		return err
	}
	if len(p) > 0 {
		return t.drop(p, k, t.hive.subtree(p)...)
	}
	if err := t.clear(p, t.hive.subtree(p)...); err != nil {
		return err
	}
	return t.touch(p)
}

func (t *tx) drop(p path, k keyRecord, ranges ...string) error {
	if err := t.clear(p, ranges...); err != nil {
		return err
	}
	if err := t.Delete(t.hive.keyName(p)); err != nil {
		return err
	}
	if err := t.count(p.parent(), usage{bytes: -int64(len(k.name)), keys: -1}); err != nil {
		return err
	}
	return t.touch(p.parent())
}

// clear deletes everything in the ranges, which belong to p. Damaged records go too, but
// what they counted for is no longer known.
func (t *tx) clear(p path, ranges ...string) error {
	var gone usage
	for _, prefix := range ranges {
		for item, err := range t.Scan(prefix, "") {
			if item.Key == "" {
				return err
			}
			if item.Key == t.hive.keyName(nil) {
				continue // the hive's root stays
			}
			u := weigh(item, item.Key[len(t.hive.prefix)] == 'k')
			gone.bytes, gone.keys = gone.bytes-u.bytes, gone.keys-u.keys
			if err := t.Delete(item.Key); err != nil {
				return err
			}
		}
	}
	if err := t.forgetRoots(p, len(ranges) > 1); err != nil {
		return err
	}
	return t.count(p, gone)
}

// forgetRoots deletes the usage records of p and, in a tree, of what lies below it: they
// are counted anew when such a root is opened again.
func (t *tx) forgetRoots(p path, tree bool) error {
	if err := t.Delete(t.hive.usageName(p)); err != nil || !tree {
		return err
	}
	below := t.hive.usageName(p)
	if len(p) > 0 {
		below += `\`
	}
	for item, err := range t.Scan(below, "") {
		if item.Key == "" {
			return err
		}
		if err := t.Delete(item.Key); err != nil {
			return err
		}
	}
	return nil
}

// set stores one value of an existing key, keeping the spelling of an existing name.
func (t *tx) set(p path, v registry.Value) error {
	at := t.hive.valueName(p, v.Name)
	add := usage{bytes: int64(len(v.Name) + len(v.Data))}
	b, err := t.Get(at)
	if err == nil {
		if old, err := decodeValue(b); err == nil {
			v.Name = old.Name
			add.bytes = int64(len(v.Data) - len(old.Data))
		}
	} else if !errors.Is(err, spoolerr.NotFound) && !errors.Is(err, spoolerr.Corrupt) {
		return err
	}
	if err := t.Put(at, encodeValue(v)); err != nil {
		return err
	}
	return t.count(p, add)
}

// unset deletes one value.
func (t *tx) unset(p path, value string) error {
	v, err := t.value(p, value)
	if err != nil && !errors.Is(err, spoolerr.Corrupt) {
		return err
	}
	if err := t.Delete(t.hive.valueName(p, value)); err != nil {
		return err
	}
	return t.count(p, usage{bytes: -int64(len(v.Name) + len(v.Data))})
}

func (t *tx) value(p path, value string) (registry.Value, error) {
	b, err := t.Get(t.hive.valueName(p, value))
	if errors.Is(err, spoolerr.NotFound) {
		return registry.Value{}, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound,
			"registry value %s of key %s does not exist", spool.Quote(value), spool.Quote(p.String()))
	}
	if err != nil {
		return registry.Value{}, spoolerr.Wrap(err, "registry value %s of key %s",
			spool.Quote(value), spool.Quote(p.String()))
	}
	return decodeValue(b)
}
