package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/internal/group"
	"github.com/spoolhost/spoolhost/host/store/internal/overlay"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// maxBytes is what a transaction may write, below etcd's usual --max-request-bytes of
// 1.5 MiB.
const maxBytes = 1472 << 10

// opBytes is what an operation takes beside its key and value, at most.
const opBytes = 32

type request = group.Request[func(store.Tx) error]

// probe finds out how many operations the cluster takes in one transaction
// (--max-txn-ops), which it tells in no other way.
func (s *Store) probe(ctx context.Context) error {
	const usual = 128
	for _, n := range []int{8192, 1024, usual} {
		cmps := make([]clientv3.Cmp, n)
		for i := range cmps {
			cmps[i] = clientv3.Compare(clientv3.ModRevision(s.marker+"-"), "=", 0) // a key that this user may read
		}
		_, err := s.client.Txn(ctx).If(cmps...).Commit()
		if err == nil {
			s.ops = n
			return nil
		}
		if !tooMany(err) {
			return err
		}
	}
	return nil
}

// batch is what some functions have read and want to write.
type batch struct {
	writes overlay.Overlay
	reads  reads
	bytes  int
	failed bool
	rest   []*request // those that found no room
}

// commit gives each request its own result.
func (s *Store) commit(requests []*request) error {
	for len(requests) > 0 {
		requests = s.part(requests)
	}
	return nil
}

// part commits as many of the requests as fit into one transaction of etcd, and gives
// the others.
func (s *Store) part(requests []*request) (rest []*request) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	snap, err := s.recent(ctx)
	if err == nil && s.ops == 0 {
		err = s.probe(ctx)
	}
	for attempt := 0; ; attempt++ {
		if err == nil {
			var b *batch
			if b, err = s.try(ctx, snap, requests); err == nil {
				return b.rest
			}
		}
		if errors.Is(err, errStale) && attempt == 0 || pause(ctx, attempt) && (transient(err) || errors.Is(err, errStale)) {
			snap, err = s.freshRetried(ctx)
			continue
		}
		err = s.failure(err)
		for _, r := range requests {
			if r.Start() {
				r.Err = err
			}
		}
		return nil
	}
}

// try runs the requests on the snapshot and commits. errStale: they have to run again.
func (s *Store) try(ctx context.Context, snap *snapshot, requests []*request) (*batch, error) {
	b := s.run(snap, requests)
	keys := b.writes.Keys()
	switch {
	case snap.err != nil:
		b.void(requests)
		return b, snap.err
	case !snap.certain && (b.failed || len(keys) == 0):
		b.void(requests) // what was read may be old, and no commit will tell
		return b, errStale
	case len(keys) == 0:
		return b, nil
	}
	err := s.put(ctx, snap, b)
	if err != nil {
		b.void(requests)
	}
	return b, err
}

// void takes back the results of the functions.
func (b *batch) void(requests []*request) {
	for _, r := range requests {
		r.Err = nil
	}
}

// run runs the functions, each on the result of those accepted before.
func (s *Store) run(snap *snapshot, requests []*request) *batch {
	b := &batch{}
	for i, r := range requests {
		if !r.Start() {
			continue
		}
		mark := b.writes.Mark()
		t := &tx{s: s, snap: snap, writes: &b.writes}
		r.Err = s.call(t, r.Fn)
		if snap.err != nil {
			return b
		}
		fits := s.add(b, t, mark)
		if !fits && !b.empty() {
			r.Err, b.rest = nil, requests[i:]
			return b
		}
		if !fits && r.Err == nil {
			r.Err = s.tooLarge()
		}
		if r.Err != nil {
			b.writes.Rollback(mark)
			b.failed = true
		}
	}
	return b
}

// empty says that nothing has been read or written for it yet.
func (b *batch) empty() bool { return b.bytes == 0 }

// add counts what a function has read and written since the mark to the batch, or takes
// it back if it does not fit.
func (s *Store) add(b *batch, t *tx, mark int) bool {
	size := t.reads.size()
	for _, key := range b.writes.Since(mark) {
		entry, _ := b.writes.Get(key)
		size += len(s.data) + len(key) + len(entry) + opBytes
	}
	// Beside the entries stand this writer's mark and that of deletions.
	ops := max(len(b.writes.Keys())+2, b.reads.count()+t.reads.count())
	if ops > s.ops || b.bytes+size > maxBytes {
		b.writes.Rollback(mark)
		return false
	}
	b.bytes += size
	b.reads.add(&t.reads)
	return true
}

func (s *Store) tooLarge() error {
	return spoolerr.New(spoolerr.Exhausted, 0,
		"a transaction is too large for %s, which takes %d operations and %d bytes at a time; do it in parts, or start etcd with --max-txn-ops 8192",
		s.name, s.ops, maxBytes)
}

// put commits the batch if nothing that it read has changed; errStale: something has.
// The writer's mark is part of the condition and of what is written, so that a commit
// whose reply was lost is recognised, and one that is still under way when the next is
// made can no longer come about.
func (s *Store) put(ctx context.Context, snap *snapshot, b *batch) error {
	s.serial++
	mark := fmt.Sprint(s.life, " ", s.serial)
	conditions := append(b.reads.compares(s.deleted, snap.revision), clientv3.Compare(clientv3.ModRevision(s.marker), "=", snap.marked))
	writes := s.operations(b, mark)
	began, asked := time.Now(), 0
	s.marked = 0 // until it is known again
	for {
		asked++
		var reply *clientv3.TxnResponse
		err := s.ask(ctx, asked-1, func(ctx context.Context) (err error) {
			reply, err = s.client.Txn(ctx).If(conditions...).Then(writes...).Else(s.otherwise(mark, asked)).Commit()
			return err
		})
		switch {
		case err == nil && reply.Succeeded:
			s.committed(reply.Header.Revision, began)
			return nil
		case err == nil:
			if at := reply.Responses[0].GetResponseTxn(); at.Succeeded {
				s.committed(at.Responses[0].GetResponseRange().Kvs[0].ModRevision, began)
				return nil
			}
			return errStale
		case !transient(err) || !pause(ctx, asked):
			return s.unknown(ctx, err)
		}
	}
}

// otherwise finds out whether the commit has come about before. If it has not, and was asked
// for before, another mark sees to it that it never will.
func (s *Store) otherwise(mark string, asked int) clientv3.Op {
	var never []clientv3.Op
	if asked > 1 {
		never = append(never, clientv3.OpPut(s.marker, mark+" never"))
	}
	return clientv3.OpTxn([]clientv3.Cmp{clientv3.Compare(clientv3.Value(s.marker), "=", mark)}, []clientv3.Op{clientv3.OpGet(s.marker)}, never)
}

func (s *Store) committed(revision int64, began time.Time) {
	s.marked = revision
	s.own.Store(revision)
	s.note(revision)
	if s.timed != nil {
		s.timed(time.Since(began))
	}
}

// operations are the writes of the batch.
func (s *Store) operations(b *batch, mark string) []clientv3.Op {
	ops, deletes := []clientv3.Op{clientv3.OpPut(s.marker, mark)}, false
	for _, key := range b.writes.Keys() {
		if entry, _ := b.writes.Get(key); entry != nil {
			ops = append(ops, clientv3.OpPut(s.data+key, string(entry)))
		} else {
			ops, deletes = append(ops, clientv3.OpDelete(s.data+key)), true
		}
	}
	if deletes {
		ops = append(ops, clientv3.OpPut(s.deleted, ""))
	}
	return ops
}
