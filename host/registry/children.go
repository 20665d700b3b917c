package registry

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Children calls fn for each direct subkey with its values, in order of name, on one
// snapshot. It reads both in ranges, and so costs few requests also where each is one to
// etcd. What lies deeper is left out; a damaged subkey is there by its folded name. Else it
// is as Walk.
func (h *Hive) Children(ctx context.Context, key string, fn func(Entry) error) error {
	return h.readKey(ctx, key, func(t *tx, p path) error {
		values := t.valuesBelow(p, "")
		defer values.stop()
		for item, err := range t.children(p) {
			if item.Key == "" {
				return err
			}
			folded := strings.TrimPrefix(item.Key, t.hive.keysUnder(p))
			k, bad := decodeKey(item.Value)
			bad = errors.Join(err, bad)
			if bad != nil {
				k = keyRecord{name: folded}
				bad = spoolerr.As(bad, spoolerr.Corrupt, "registry key %s", spool.Quote(folded))
			}
			e := Entry{Path: p.append(path{{written: k.name}}).String(), LastWrite: k.lastWrite}
			var damage error
			if e.Values, damage, err = values.of(folded); err != nil {
				return err
			}
			e.Damage = errors.Join(bad, damage)
			if err := errors.Join(ctx.Err(), fn(e)); err != nil {
				return err
			}
		}
		return nil
	})
}

// HasValues says whether a key or one below it has a value. One that does not exist has none.
func (h *Hive) HasValues(ctx context.Context, key string) (has bool, err error) {
	err = h.read(ctx, key, func(t *tx, p path) error {
		has = false
		for _, prefix := range t.hive.subtree(p)[len(t.hive.subtree(p))/2:] {
			for item, err := range t.Scan(prefix, "") {
				if item.Key == "" {
					return err
				}
				has = true
				return nil
			}
		}
		return nil
	})
	return has, err
}

// childValues gives the values of the direct subkeys of one key, which are asked for in
// order of name: it ranges over them once.
type childValues struct {
	prefix string
	next   func() (store.Item, error, bool)
	stop   func()

	item store.Item
	err  error // of item, which is damaged; of none, the end of the range
	more bool
}

// valuesBelow begins behind the subkey of a folded name, or with the first.
func (t *tx) valuesBelow(p path, after string) *childValues {
	c := &childValues{prefix: t.hive.prefix + "v/"}
	if len(p) > 0 {
		c.prefix += p.folded() + `\`
	}
	if after != "" {
		after = c.prefix + after + "\x01" // no name has that, and values follow a zero
	}
	c.next, c.stop = iter.Pull2(t.Scan(c.prefix, after))
	c.item, c.err, c.more = c.next()
	return c
}

// of gives the values of one subkey. Damaged ones are left out and reported.
func (c *childValues) of(folded string) (list []registry.Value, damage error, err error) {
	from := c.prefix + folded + "\x00"
	for ; c.more; c.item, c.err, c.more = c.next() {
		switch {
		case c.item.Key == "":
			return nil, nil, c.err
		case c.item.Key < from:
			continue // below an earlier one
		case !strings.HasPrefix(c.item.Key, from):
			return list, damage, nil
		}
		v, bad := decodeValue(c.item.Value)
		if err := errors.Join(c.err, bad); err != nil {
			damage = spoolerr.As(err, spoolerr.Corrupt, "a value of registry key %s", spool.Quote(folded))
			continue
		}
		list = append(list, v)
	}
	return list, damage, nil
}
