package etcd

import (
	clientv3 "go.etcd.io/etcd/client/v3"
)

// manyRead is up to how many entries of one scan are compared one by one.
const manyRead = 32

// reads is what functions have read, and so what their commit depends on.
type reads struct {
	keys   map[string]int64 // the revision of each; 0: it was absent
	ranges []span
	wide   bool // some range is guarded by the mark of deletions
}

// span is a range of keys that was scanned: from its first up to, not including, end.
type span struct{ from, end string }

func (r *reads) key(key string, revision int64) {
	if r.keys == nil {
		r.keys = map[string]int64{}
	}
	r.keys[key] = revision
}

// scanned notes a range. Nothing new may appear in it, and nothing may have gone: of a
// few entries that is asked of each, of many by the mark that every deletion leaves.
func (r *reads) scanned(from, end string, entries []entryRevision) {
	r.ranges = append(r.ranges, span{from, end})
	if len(entries) > manyRead {
		r.wide = true
		return
	}
	for _, e := range entries {
		r.key(e.key, e.revision)
	}
}

type entryRevision struct {
	key      string
	revision int64
}

// count is how many comparisons it takes, with the writer's own mark.
func (r *reads) count() int {
	n := len(r.keys) + len(r.ranges) + 1
	if r.wide {
		n++
	}
	return n
}

// size is about what the comparisons take in a request.
func (r *reads) size() (bytes int) {
	for key := range r.keys {
		bytes += len(key) + opBytes
	}
	for _, s := range r.ranges {
		bytes += len(s.from) + len(s.end) + opBytes
	}
	return bytes
}

// add takes over what another has read.
func (r *reads) add(other *reads) {
	for key, at := range other.keys {
		r.key(key, at)
	}
	r.ranges = append(r.ranges, other.ranges...)
	r.wide = r.wide || other.wide
}

// compares says that nothing of it has changed since the revision.
func (r *reads) compares(deleted string, revision int64) []clientv3.Cmp {
	cmps := make([]clientv3.Cmp, 0, r.count())
	for key, at := range r.keys {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(key), "=", at))
	}
	for _, s := range r.ranges {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.from), "<", revision+1).WithRange(s.end))
	}
	if r.wide {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(deleted), "<", revision+1))
	}
	return cmps
}
