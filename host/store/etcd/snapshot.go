package etcd

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A page costs etcd a look at all keys from its beginning to the end of the range, to count
// them: few large pages, after a first one that is enough for most scans.
const (
	firstPage = 16
	maxPage   = 8192
	pageBytes = 1 << 20 // about so much is fetched at a time
)

// errStale: the snapshot cannot be read any more, or what was read from it has changed.
var errStale = errors.New("the snapshot is out of date")

// snapshot reads etcd as it was at one revision. It fetches nothing twice.
type snapshot struct {
	s        *Store
	ctx      context.Context //nolint:containedctx // the transaction's; store.Tx has none
	revision int64
	certain  bool  // it was the newest when the snapshot was made
	marked   int64 // the revision of this writer's last commit
	known    map[string]*mvccpb.KeyValue
	err      error // the first failure to read; the transaction is void
}

// fresh makes a snapshot of the newest revision, by a quorum.
func (s *Store) fresh(ctx context.Context) (*snapshot, error) {
	reply, err := s.client.Txn(ctx).Then(clientv3.OpGet(s.marker)).Commit()
	if err != nil {
		return nil, err
	}
	snap := &snapshot{s: s, ctx: ctx, certain: true, revision: reply.Header.Revision, known: map[string]*mvccpb.KeyValue{}}
	for _, kv := range reply.Responses[0].GetResponseRange().Kvs {
		snap.marked = kv.ModRevision
	}
	s.note(snap.revision)
	return snap, nil
}

// freshRetried tries until ctx ends.
func (s *Store) freshRetried(ctx context.Context) (*snapshot, error) {
	for attempt := 0; ; attempt++ {
		snap, err := s.fresh(ctx)
		if err == nil || !transient(err) || !pause(ctx, attempt) {
			return snap, err
		}
	}
}

// recent makes a snapshot of a revision that is known to exist, without asking anybody, if
// this writer's last commit is known. Only a commit can tell whether it is the newest.
func (s *Store) recent(ctx context.Context) (*snapshot, error) {
	if s.marked == 0 {
		return s.freshRetried(ctx)
	}
	return &snapshot{s: s, ctx: ctx, revision: s.seen.Load(), marked: s.marked, known: map[string]*mvccpb.KeyValue{}}, nil
}

// get gives the entry under a key of etcd, nil if there is none.
func (n *snapshot) get(key string) (*mvccpb.KeyValue, error) {
	if kv, known := n.known[key]; known {
		return kv, nil
	}
	reply, err := n.read(key)
	if err != nil {
		return nil, err
	}
	n.known[key] = nil
	for _, kv := range reply.Kvs {
		n.known[key] = kv
	}
	return n.known[key], nil
}

// page gives the next entries from a key up to, not including, end.
func (n *snapshot) page(from, end string, limit int64) (kvs []*mvccpb.KeyValue, more bool, err error) {
	reply, err := n.read(from, clientv3.WithRange(end), clientv3.WithLimit(limit))
	if err != nil {
		return nil, false, err
	}
	for _, kv := range reply.Kvs {
		n.known[string(kv.Key)] = kv
	}
	return reply.Kvs, reply.More, nil
}

// read asks any one member, which is enough for a revision that has been committed; one
// that is behind is not asked again.
func (n *snapshot) read(key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if n.err != nil {
		return nil, n.err
	}
	ctx, cancel := context.WithTimeout(n.ctx, n.s.timeout)
	defer cancel()
	opts = append(opts, clientv3.WithRev(n.revision))
	local := append(opts[:len(opts):len(opts)], clientv3.WithSerializable())
	for attempt := 0; ; attempt++ {
		reply, err := n.s.client.Get(ctx, key, local...)
		if err == nil {
			return reply, nil
		}
		if errors.Is(err, rpctypes.ErrCompacted) {
			n.err = errStale
			return nil, n.err
		}
		if !errors.Is(err, rpctypes.ErrFutureRev) && (!transient(err) || !pause(ctx, attempt)) {
			n.err = err
			return nil, err
		}
		local = opts
	}
}

// nextPage grows the pages of a scan as long as the entries are small.
func nextPage(limit int64, kvs []*mvccpb.KeyValue) int64 {
	size := 1
	for _, kv := range kvs {
		size += len(kv.Key) + len(kv.Value)
	}
	fits := int64(pageBytes / (size/max(len(kvs), 1) + 1))
	return max(min(limit*8, fits, maxPage), 1)
}
