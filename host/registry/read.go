package registry

import (
	"errors"
	"time"
	"unicode/utf16"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// position remembers where an enumeration stood: the entry at index is the first after
// before, as long as the key has not changed.
type position struct {
	known     bool
	changes   uint64
	lastWrite time.Time
	index     uint32
	before    string
}

// enumKey gives the direct subkey of p at index.
func (t *tx) enumKey(p path, index uint32, from position) (registry.KeyInfo, position, error) {
	item, to, err := t.at(p, t.hive.keysUnder(p), index, from)
	if err != nil {
		return registry.KeyInfo{}, to, err
	}
	k, err := decodeKey(item.Value)
	return registry.KeyInfo{Name: k.name, LastWrite: k.lastWrite}, to, err
}

// enumValue gives the value of p at index.
func (t *tx) enumValue(p path, index uint32, from position) (registry.Value, position, error) {
	item, to, err := t.at(p, t.hive.valuesOf(p), index, from)
	if err != nil {
		return registry.Value{}, to, err
	}
	v, err := decodeValue(item.Value)
	return v, to, err
}

// at gives the entry at index among those with the prefix, which belong to key p.
func (t *tx) at(p path, prefix string, index uint32, from position) (store.Item, position, error) {
	k, err := t.key(p)
	if err != nil {
		return store.Item{}, position{}, err
	}
	to := position{known: true, changes: k.changes, lastWrite: k.lastWrite}
	if from.known && from.changes == k.changes && from.lastWrite.Equal(k.lastWrite) && from.index <= index {
		to = from
	}
	for item, err := range t.Scan(prefix, to.before) {
		if item.Key == "" {
			return item, position{}, err
		}
		if item.Key == t.hive.keyName(nil) {
			continue
		}
		if to.index == index {
			return item, to, spoolerr.Wrap(err, "entry %d of registry key %s", index, spool.Quote(p.String()))
		}
		to.index++
		to.before = item.Key
	}
	return store.Item{}, position{}, spoolerr.New(spoolerr.NoMoreItems, 0,
		"registry key %s has no entry %d", spool.Quote(p.String()), index)
}

// subKeys lists the direct subkeys of p. Damaged ones are left out and reported.
func (t *tx) subKeys(p path) (list []registry.KeyInfo, damage error, err error) {
	for item, err := range t.children(p) {
		if item.Key == "" {
			return nil, nil, err
		}
		k, bad := decodeKey(item.Value)
		if err = errors.Join(err, bad); err != nil {
			damage = spoolerr.As(err, spoolerr.Corrupt, "a subkey of registry key %s", spool.Quote(p.String()))
			continue
		}
		list = append(list, registry.KeyInfo{Name: k.name, LastWrite: k.lastWrite})
	}
	return list, damage, nil
}

// subKeysAfter lists direct subkeys of p with their values, a page of them.
func (t *tx) subKeysAfter(p path, after string) (list []registry.SubKey, err error) {
	const most, each = 4096, 16 // bytes that a value takes beside its name and data
	if _, err := t.key(p); err != nil {
		return nil, err
	}
	prefix := t.hive.keysUnder(p)
	values := t.valuesBelow(p, after)
	defer values.stop()
	size := 0
	for item, err := range t.Scan(prefix, prefix+after) {
		if err != nil {
			return nil, spoolerr.Wrap(err, "a subkey of registry key %s", spool.Quote(p.String()))
		}
		k, err := decodeKey(item.Value)
		if err != nil {
			return nil, spoolerr.Wrap(err, "a subkey of registry key %s", spool.Quote(p.String()))
		}
		sub := registry.SubKey{KeyInfo: registry.KeyInfo{Name: k.name, LastWrite: k.lastWrite}}
		var damage error
		sub.Values, damage, err = values.of(spool.Fold(k.name))
		if err = errors.Join(err, damage); err != nil {
			return nil, err
		}
		for _, v := range sub.Values {
			size += len(v.Name) + len(v.Data) + each
		}
		if size > mostTogether {
			if len(list) > 0 {
				return list, nil
			}
			return nil, spoolerr.New(spoolerr.MoreData, 0, "registry key %s has %d bytes of values; ask for them one by one", spool.Quote(k.name), size)
		}
		if list = append(list, sub); len(list) == most {
			return list, nil
		}
	}
	return list, nil
}

// values lists the values of p. Damaged ones are left out and reported.
func (t *tx) values(p path) (list []registry.Value, damage error, err error) {
	for item, err := range t.Scan(t.hive.valuesOf(p), "") {
		if item.Key == "" {
			return nil, nil, err
		}
		v, bad := decodeValue(item.Value)
		if err = errors.Join(err, bad); err != nil {
			damage = spoolerr.As(err, spoolerr.Corrupt, "a value of registry key %s", spool.Quote(p.String()))
			continue
		}
		list = append(list, v)
	}
	return list, damage, nil
}

// info counts. Damaged entries count as entries of no length.
func (t *tx) info(p path) (registry.Info, error) {
	k, err := t.key(p)
	if err != nil {
		return registry.Info{}, err
	}
	info := registry.Info{LastWrite: k.lastWrite}
	for item, err := range t.children(p) {
		if item.Key == "" {
			return registry.Info{}, err
		}
		sub, _ := decodeKey(item.Value)
		info.SubKeys++
		info.MaxSubKeyLen = max(info.MaxSubKeyLen, units(sub.name))
	}
	for item, err := range t.Scan(t.hive.valuesOf(p), "") {
		if item.Key == "" {
			return registry.Info{}, err
		}
		v, _ := decodeValue(item.Value)
		info.Values++
		info.MaxValueNameLen = max(info.MaxValueNameLen, units(v.Name))
		info.MaxData = max(info.MaxData, uint32(len(v.Data)))
	}
	return info, nil
}

func units(s string) uint32 {
	n := uint32(0)
	for _, r := range s {
		n += uint32(max(utf16.RuneLen(r), 1))
	}
	return n
}
