// Package overlay holds writes that lie above a store's contents until they are
// committed, so that a transaction reads what it wrote.
//
// The implementations of store.Store import it.
package overlay

import (
	"slices"
	"strings"
)

// Overlay is a set of writes. Its zero value is empty.
type Overlay struct {
	entries map[string][]byte
	keys    []string // sorted, so that scans can merge
	undo    []write
}

// write is what stood in the overlay before a Set.
type write struct {
	key   string
	entry []byte
	known bool
}

// Set writes entry under key; nil is a deletion.
func (o *Overlay) Set(key string, entry []byte) {
	if o.entries == nil {
		o.entries = map[string][]byte{}
	}
	was, known := o.entries[key]
	if !known {
		at, _ := slices.BinarySearch(o.keys, key)
		o.keys = slices.Insert(o.keys, at, key)
	}
	o.undo = append(o.undo, write{key: key, entry: was, known: known})
	o.entries[key] = entry
}

// Get gives what was written under key, and whether anything was. A nil entry is a
// deletion.
func (o *Overlay) Get(key string) (entry []byte, written bool) {
	entry, written = o.entries[key]
	return entry, written
}

// Keys are the keys written, sorted. They are not the caller's to change.
func (o *Overlay) Keys() []string { return o.keys }

// Next gives the smallest key with the prefix beyond after.
func (o *Overlay) Next(prefix, after string) (string, bool) {
	at, found := slices.BinarySearch(o.keys, max(prefix, after))
	if found && o.keys[at] == after {
		at++
	}
	if at == len(o.keys) || !strings.HasPrefix(o.keys[at], prefix) {
		return "", false
	}
	return o.keys[at], true
}

// Mark is a point to Rollback to.
func (o *Overlay) Mark() int { return len(o.undo) }

// Since gives the keys that were Set since the mark, each at least once.
func (o *Overlay) Since(mark int) []string {
	keys := make([]string, 0, len(o.undo)-mark)
	for _, w := range o.undo[mark:] {
		keys = append(keys, w.key)
	}
	return keys
}

// Rollback takes back every Set since the mark.
func (o *Overlay) Rollback(mark int) {
	for i := len(o.undo) - 1; i >= mark; i-- {
		w := o.undo[i]
		if w.known {
			o.entries[w.key] = w.entry
			continue
		}
		delete(o.entries, w.key)
		at, _ := slices.BinarySearch(o.keys, w.key)
		o.keys = slices.Delete(o.keys, at, at+1)
	}
	o.undo = o.undo[:mark]
}
