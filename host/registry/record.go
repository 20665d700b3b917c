package registry

import (
	"encoding/binary"
	"time"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// recordVersion is the first byte of every record; another one was written by a newer
// host.
const recordVersion = 1

// keyRecord is what is stored of a key.
type keyRecord struct {
	name      string // as first written
	lastWrite time.Time
	// changes counts the changes of the key's own lists, so that a remembered position in
	// them is known to be still right.
	changes uint64
}

func (k keyRecord) encode() []byte {
	b := []byte{recordVersion}
	b = binary.AppendVarint(b, k.lastWrite.UnixNano())
	b = binary.AppendUvarint(b, k.changes)
	return append(b, k.name...)
}

func decodeKey(b []byte) (k keyRecord, err error) {
	r := reader{data: b}
	r.version()
	k.lastWrite = time.Unix(0, r.varint()).UTC()
	k.changes = r.uvarint()
	k.name = string(r.data)
	return k, r.err("key")
}

func encodeValue(v registry.Value) []byte {
	b := make([]byte, 0, 16+len(v.Name)+len(v.Data))
	b = append(b, recordVersion)
	b = binary.AppendUvarint(b, uint64(v.Type))
	b = binary.AppendUvarint(b, uint64(len(v.Name)))
	b = append(b, v.Name...)
	return append(b, v.Data...)
}

func decodeValue(b []byte) (v registry.Value, err error) {
	r := reader{data: b}
	r.version()
	v.Type = registry.Type(r.uvarint())
	v.Name = string(r.bytes(r.uvarint()))
	v.Data = r.data
	return v, r.err("value")
}

// usage is what a root holds.
type usage struct{ bytes, keys int64 }

func (u usage) encode() []byte {
	b := []byte{recordVersion}
	b = binary.AppendVarint(b, u.bytes)
	return binary.AppendVarint(b, u.keys)
}

func decodeUsage(b []byte) (u usage, err error) {
	r := reader{data: b}
	r.version()
	u.bytes, u.keys = r.varint(), r.varint()
	return u, r.err("usage")
}

// reader takes a record apart; after a mistake it gives zeros.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) version() {
	if b := r.bytes(1); r.bad || b[0] != recordVersion {
		r.fail()
	}
}

func (r *reader) varint() int64 {
	n, width := binary.Varint(r.data)
	r.skip(width)
	return n
}

func (r *reader) uvarint() uint64 {
	n, width := binary.Uvarint(r.data)
	r.skip(width)
	return n
}

func (r *reader) skip(width int) {
	if width <= 0 {
		r.fail()
		return
	}
	r.data = r.data[width:]
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.fail()
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) fail() { r.data, r.bad = nil, true }

func (r *reader) err(what string) error {
	if !r.bad {
		return nil
	}
	return spoolerr.New(spoolerr.Corrupt, 0,
		"a registry %s is not in this host's format; restore the store from a backup, or delete it", what)
}
