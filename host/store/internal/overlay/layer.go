package overlay

import (
	"iter"
	"strings"

	"github.com/tidwall/btree"
)

// Layer is committed writes that lie above a store's contents. Its zero value is not ready;
// see NewLayer. A copy costs next to nothing, and each may be read while another is written.
type Layer struct{ entries *btree.Map[string, []byte] }

// NewLayer makes an empty layer.
func NewLayer() *Layer {
	const degree = 16 // small nodes: those that a commit changes are copied
	return &Layer{btree.NewMap[string, []byte](degree)}
}

// Set writes entry under key; nil is a deletion.
func (l *Layer) Set(key string, entry []byte) { l.entries.Set(key, entry) }

// Get gives what was written under key, and whether anything was.
func (l *Layer) Get(key string) (entry []byte, written bool) { return l.entries.Get(key) }

// Len is the number of keys.
func (l *Layer) Len() int { return l.entries.Len() }

// Next gives the smallest key with the prefix beyond after.
func (l *Layer) Next(prefix, after string) (next string, found bool) {
	l.entries.Ascend(max(prefix, after), func(key string, _ []byte) bool {
		if key == after {
			return true
		}
		next, found = key, strings.HasPrefix(key, prefix)
		return false
	})
	return next, found
}

// All ranges over the writes in order of their keys.
func (l *Layer) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) { l.entries.Scan(yield) }
}

// Copy gives a layer of its own with the same writes.
func (l *Layer) Copy() *Layer { return &Layer{l.entries.Copy()} }
