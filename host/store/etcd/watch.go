package etcd

import (
	"context"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// watch tells the watchers of every commit, until ctx ends. It survives the loss of a
// member and of the leader; what was compacted away meanwhile, and what came before etcd
// first answered, it reports as "anything may have changed".
func (s *Store) watch(ctx context.Context) {
	for asked := 0; s.first.Load() == 0 && ctx.Err() == nil; asked++ {
		asking, cancel := context.WithTimeout(ctx, s.timeout)
		_, _ = s.fresh(asking)
		cancel()
		if s.first.Load() == 0 {
			pause(ctx, asked)
		}
	}
	from := s.first.Load() + 1
	for attempt := 0; ctx.Err() == nil; attempt++ {
		next := s.watchFrom(ctx, from)
		if next > from {
			attempt = 0
		}
		from = next
		pause(ctx, attempt+4)
	}
}

// watchFrom watches until the stream breaks, and says where to go on.
func (s *Store) watchFrom(ctx context.Context, from int64) (next int64) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for reply := range s.client.Watch(ctx, s.data, clientv3.WithPrefix(), clientv3.WithRev(from)) {
		if reply.CompactRevision > 0 {
			s.changes.NotifyAll()
			s.told.upTo(reply.CompactRevision - 1)
			return max(from, reply.CompactRevision)
		}
		if reply.Err() != nil {
			return from
		}
		from = max(from, s.tell(reply.Events)+1)
	}
	return from
}

// tell notifies the watchers, commit by commit, and gives the last revision.
func (s *Store) tell(events []*clientv3.Event) (last int64) {
	var keys []string
	for i, e := range events {
		keys = append(keys, strings.TrimPrefix(string(e.Kv.Key), s.data))
		last = e.Kv.ModRevision
		if i+1 == len(events) || events[i+1].Kv.ModRevision != last {
			s.note(last)
			s.changes.NotifyAt(keys, last)
			s.told.upTo(last)
			keys = nil
		}
	}
	return last
}

// told is up to which revision the watchers know of commits: those come in order.
type told struct {
	mu       sync.Mutex
	revision int64
	more     chan struct{} // closed when it grows; nil if nobody waits
}

func (t *told) upTo(revision int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if revision <= t.revision {
		return
	}
	t.revision = revision
	if t.more != nil {
		close(t.more)
		t.more = nil
	}
}

// beyond gives a channel to wait for, or nil if a revision is known.
func (t *told) beyond(revision int64) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if revision <= t.revision {
		return nil
	}
	if t.more == nil {
		t.more = make(chan struct{})
	}
	return t.more
}

// Told is what store.Told asks: every commit writes an entry, of which the watch tells.
func (s *Store) Told(ctx context.Context) error {
	revision := s.own.Load()
	for more := s.told.beyond(revision); more != nil; more = s.told.beyond(revision) {
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
