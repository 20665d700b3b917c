package store

import (
	"slices"
	"strings"
)

// overlay holds the writes of one function until they are accepted. A nil entry is a
// deletion.
type overlay struct {
	entries map[string][]byte
	keys    []string // sorted, so that scans can merge
}

func (o *overlay) set(key string, entry []byte) {
	if o.entries == nil {
		o.entries = map[string][]byte{}
	}
	if _, known := o.entries[key]; !known {
		at, _ := slices.BinarySearch(o.keys, key)
		o.keys = slices.Insert(o.keys, at, key)
	}
	o.entries[key] = entry
}

// next gives the smallest key with the prefix beyond after.
func (o *overlay) next(prefix, after string) (string, bool) {
	at, found := slices.BinarySearch(o.keys, max(prefix, after))
	if found && o.keys[at] == after {
		at++
	}
	if at == len(o.keys) || !strings.HasPrefix(o.keys[at], prefix) {
		return "", false
	}
	return o.keys[at], true
}
