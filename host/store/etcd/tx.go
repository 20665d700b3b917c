package etcd

import (
	"iter"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/internal/overlay"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// tx is one function's view of a snapshot, with the writes of its batch above.
type tx struct {
	s      *Store
	snap   *snapshot
	writes *overlay.Overlay // nil in a View
	reads  reads
	ended  bool
}

// Get implements store.Tx.
func (t *tx) Get(key string) ([]byte, error) {
	if err := t.check(key); err != nil {
		return nil, err
	}
	if t.writes != nil {
		if entry, written := t.writes.Get(key); written {
			return found(key, entry)
		}
	}
	kv, err := t.snap.get(t.s.data + key)
	if err != nil {
		return nil, t.s.failure(err)
	}
	if kv == nil {
		t.read(t.s.data+key, 0)
		return found(key, nil)
	}
	t.read(t.s.data+key, kv.ModRevision)
	return append([]byte{}, kv.Value...), nil
}

// found gives a copy of an entry.
func found(key string, entry []byte) ([]byte, error) {
	if entry == nil {
		return nil, spoolerr.New(spoolerr.NotFound, 0, "entry %s is not in the store", spool.Quote(key))
	}
	return append([]byte{}, entry...), nil
}

func (t *tx) read(key string, revision int64) {
	if t.writes != nil {
		t.reads.key(key, revision)
	}
}

// Put implements store.Tx.
func (t *tx) Put(key string, value []byte) error {
	if err := t.checkWrite(key); err != nil {
		return err
	}
	if len(value) > store.MaxValueLen {
		return spoolerr.New(spoolerr.Invalid, 0, "the value of entry %s has %d bytes; store at most %d",
			spool.Quote(key), len(value), store.MaxValueLen)
	}
	t.writes.Set(key, append([]byte{}, value...))
	return nil
}

// Delete implements store.Tx.
func (t *tx) Delete(key string) error {
	if err := t.checkWrite(key); err != nil {
		return err
	}
	t.writes.Set(key, nil)
	return nil
}

func (t *tx) checkWrite(key string) error {
	if err := t.check(key); err != nil {
		return err
	}
	if t.writes == nil {
		return spoolerr.New(spoolerr.Denied, 0, "write of entry %s in a View; use Update", spool.Quote(key))
	}
	return nil
}

func (t *tx) check(key string) error {
	if err := t.open(); err != nil {
		return err
	}
	if key == "" || len(key) > store.MaxKeyLen {
		return spoolerr.New(spoolerr.Invalid, 0, "a store key of %d bytes (%s); use 1 to %d",
			len(key), spool.Quote(key), store.MaxKeyLen)
	}
	return nil
}

func (t *tx) open() error {
	if t.ended {
		return spoolerr.New(spoolerr.Internal, 0, "a store transaction was used after its function returned")
	}
	return nil
}

// Scan implements store.Tx.
func (t *tx) Scan(prefix, after string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		s := newScan(t, prefix, after)
		defer s.end()
		for {
			item, err := s.next()
			if err != nil {
				yield(store.Item{}, err)
				return
			}
			if item.Key == "" || !yield(item, nil) {
				return
			}
		}
	}
}

// scan merges the snapshot, fetched in pages, with the writes above it.
type scan struct {
	t      *tx
	prefix string
	last   string // the key passed last

	from, to string // the range in etcd
	at       string // where the next page begins
	page     []*mvccpb.KeyValue
	more     bool
	limit    int64
	read     []entryRevision // what was passed
}

func newScan(t *tx, prefix, after string) *scan {
	s := &scan{t: t, prefix: prefix, last: after, more: true, limit: firstPage}
	s.from, s.to = t.s.data+prefix, clientv3.GetPrefixRangeEnd(t.s.data+prefix)
	if after >= prefix {
		s.from = t.s.data + after + "\x00"
	}
	if s.from >= s.to {
		s.more = false
	}
	s.at = s.from
	return s
}

// next gives the next entry, copied; the empty key ends the scan.
func (s *scan) next() (store.Item, error) {
	if err := s.t.open(); err != nil {
		return store.Item{}, err
	}
	for {
		stored, err := s.stored()
		if err != nil {
			return store.Item{}, s.t.s.failure(err)
		}
		written, ok := "", false
		if s.t.writes != nil {
			written, ok = s.t.writes.Next(s.prefix, s.last)
		}
		switch {
		case ok && (stored == nil || written <= s.key(stored)):
			if stored != nil && written == s.key(stored) {
				s.pass()
			}
			s.last = written
			if entry, _ := s.t.writes.Get(written); entry != nil {
				return store.Item{Key: written, Value: append([]byte{}, entry...)}, nil
			}
		case stored != nil:
			s.pass()
			s.last = s.key(stored)
			return store.Item{Key: s.last, Value: append([]byte{}, stored.Value...)}, nil
		default:
			return store.Item{}, nil
		}
	}
}

// stored gives the snapshot's next entry, nil at the end.
func (s *scan) stored() (*mvccpb.KeyValue, error) {
	if len(s.page) == 0 && s.more {
		page, more, err := s.t.snap.page(s.at, s.to, s.limit)
		if err != nil {
			return nil, err
		}
		s.page, s.more = page, more && len(page) > 0
		if len(page) > 0 {
			s.at = string(page[len(page)-1].Key) + "\x00"
			s.limit = nextPage(s.limit, page)
		}
	}
	if len(s.page) == 0 {
		return nil, nil
	}
	return s.page[0], nil
}

func (s *scan) key(kv *mvccpb.KeyValue) string { return strings.TrimPrefix(string(kv.Key), s.t.s.data) }

func (s *scan) pass() {
	if s.t.writes != nil {
		s.read = append(s.read, entryRevision{key: string(s.page[0].Key), revision: s.page[0].ModRevision})
	}
	s.page = s.page[1:]
}

// end notes what the function has seen: the range up to where it stopped.
func (s *scan) end() {
	if s.t.writes == nil || s.t.ended || s.from >= s.to {
		return
	}
	to := s.to
	if len(s.page) > 0 || s.more {
		to = min(to, s.t.s.data+s.last+"\x00")
	}
	if s.from < to {
		s.t.reads.scanned(s.from, to, s.read)
	}
}
