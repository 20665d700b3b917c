package store

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/spoolhost/spoolhost/host/store/internal/overlay"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// sumLen is the length of the CRC-32C that stands before every stored value.
const sumLen = 4

// boltTx is one function's view of a bbolt transaction: the bucket below, what is committed
// and not in it yet above, and its own buffered writes on top.
type boltTx struct {
	path     string
	table    *crc32.Table
	bucket   *bbolt.Bucket // nil once the function has returned
	above    []writes      // from the newest on
	writable bool
	writes   overlay.Overlay
}

// Get implements Tx.
func (tx *boltTx) Get(key string) (value []byte, err error) {
	defer tx.caught(&err)
	if err := tx.check(key); err != nil {
		return nil, err
	}
	entry := tx.find(key)
	if entry == nil {
		return nil, spoolerr.New(spoolerr.NotFound, 0, "entry %s is not in the store", spool.Quote(key))
	}
	return tx.decode(key, entry)
}

// find gives the newest entry; nil is none.
func (tx *boltTx) find(key string) []byte {
	if entry, written := tx.writes.Get(key); written {
		return entry
	}
	for _, w := range tx.above {
		if entry, written := w.Get(key); written {
			return entry
		}
	}
	return tx.bucket.Get([]byte(key))
}

// Put implements Tx.
func (tx *boltTx) Put(key string, value []byte) error {
	if err := tx.checkWrite(key); err != nil {
		return err
	}
	if len(value) > MaxValueLen {
		return spoolerr.New(spoolerr.Invalid, 0, "the value of entry %s has %d bytes; store at most %d",
			spool.Quote(key), len(value), MaxValueLen)
	}
	entry := make([]byte, sumLen, sumLen+len(value))
	binary.LittleEndian.PutUint32(entry, tx.sum(key, value))
	tx.writes.Set(key, append(entry, value...))
	return nil
}

// Delete implements Tx.
func (tx *boltTx) Delete(key string) error {
	if err := tx.checkWrite(key); err != nil {
		return err
	}
	tx.writes.Set(key, nil)
	return nil
}

// Scan implements Tx.
func (tx *boltTx) Scan(prefix, after string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		s := scan{tx: tx, prefix: prefix, last: after}
		for {
			key, entry, err := s.next()
			if err != nil {
				yield(Item{}, err)
				return
			}
			if key == "" {
				return
			}
			value, err := tx.decode(key, entry)
			if !yield(Item{Key: key, Value: value}, err) {
				return
			}
		}
	}
}

// scan merges the bucket with what lies above it.
type scan struct {
	tx     *boltTx
	prefix string
	last   string // the key passed last

	sources []source // from the newest on
	cursor  *bbolt.Cursor
	key     []byte // the bucket's next entry; nil: no more
	entry   []byte
}

// source is writes above the bucket, and where the scan stands in them.
type source struct {
	writes
	grows  bool // the transaction's own, which change
	placed bool
	next   string
	more   bool
}

// place finds the first key beyond last.
func (s *source) place(prefix, last string) {
	if s.grows || !s.placed || s.more && s.next <= last {
		s.next, s.more = s.Next(prefix, last)
		s.placed = true
	}
}

// next gives the next entry, copied; the empty key ends the scan.
func (s *scan) next() (key string, entry []byte, err error) {
	defer s.tx.caught(&err)
	if err := s.tx.open(); err != nil {
		return "", nil, err
	}
	s.start()
	for {
		first := s.first()
		stored := s.key != nil && bytes.HasPrefix(s.key, []byte(s.prefix))
		switch {
		case first != nil && (!stored || first.next <= string(s.key)):
			s.last = first.next
			entry, _ = first.Get(s.last)
			if stored && s.last == string(s.key) {
				s.key, s.entry = s.cursor.Next()
			}
			if entry == nil {
				continue // deleted
			}
			return s.last, entry, nil
		case stored:
			s.last, entry = string(s.key), bytes.Clone(s.entry)
			s.key, s.entry = s.cursor.Next()
			return s.last, entry, nil
		default:
			return "", nil, nil
		}
	}
}

// first gives the source with the smallest key; of several that have it, the newest.
func (s *scan) first() (first *source) {
	for i := range s.sources {
		src := &s.sources[i]
		src.place(s.prefix, s.last)
		if src.more && (first == nil || src.next < first.next) {
			first = src
		}
	}
	return first
}

func (s *scan) start() {
	if s.cursor != nil {
		return
	}
	s.sources = append(s.sources, source{writes: &s.tx.writes, grows: true})
	for _, w := range s.tx.above {
		s.sources = append(s.sources, source{writes: w})
	}
	s.cursor = s.tx.bucket.Cursor()
	s.key, s.entry = s.cursor.Seek([]byte(max(s.prefix, s.last)))
	if s.key != nil && string(s.key) == s.last {
		s.key, s.entry = s.cursor.Next()
	}
}

// decode checks an entry and gives a copy of its value. The sum covers the key, so that
// a page which turns up in another's place is noticed.
func (tx *boltTx) decode(key string, entry []byte) (value []byte, err error) {
	defer tx.caught(&err)
	if len(entry) >= sumLen && binary.LittleEndian.Uint32(entry) == tx.sum(key, entry[sumLen:]) {
		return append([]byte{}, entry[sumLen:]...), nil
	}
	return nil, spoolerr.New(spoolerr.Corrupt, 0,
		"entry %s in %s is damaged (its checksum is wrong); restore the file from a backup, or delete the entry",
		spool.Quote(key), tx.path)
}

func (tx *boltTx) sum(key string, value []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), tx.table), tx.table, value)
}

func (tx *boltTx) check(key string) error {
	if err := tx.open(); err != nil {
		return err
	}
	if key == "" || len(key) > MaxKeyLen {
		return spoolerr.New(spoolerr.Invalid, 0, "a store key of %d bytes (%s); use 1 to %d",
			len(key), spool.Quote(key), MaxKeyLen)
	}
	return nil
}

func (tx *boltTx) checkWrite(key string) error {
	if err := tx.check(key); err != nil {
		return err
	}
	if !tx.writable {
		return spoolerr.New(spoolerr.Denied, 0, "write of entry %s in a View; use Update", spool.Quote(key))
	}
	return nil
}

func (tx *boltTx) open() error {
	if tx.bucket == nil {
		return spoolerr.New(spoolerr.Internal, 0, "a store transaction was used after its function returned")
	}
	return nil
}

// caught, deferred, turns bbolt's panic over a damaged page, or the fault of touching
// what is no longer in the file, into an error. It wraps no code of the caller's.
func (tx *boltTx) caught(err *error) {
	if r := recover(); r != nil {
		*err = damaged(tx.path, panicked(r))
	}
}
