package registry

import (
	"cmp"
	"context"
	"errors"

	"golang.org/x/time/rate"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Limit is how much a root may hold. Zero fields stand for the defaults.
type Limit struct {
	// Owner is a name for messages, and What whose it is; empty is "monitor".
	Owner, What string
	// Bytes counts names and data; the default is 16 MiB.
	Bytes int64
	// Keys counts subkeys; the default is 65,536.
	Keys int64
	// Handles counts open keys; the default is 1,024.
	Handles int
	// Writes is how many changes a second are taken for long, ten times as many at once;
	// who makes more waits. One that would change nothing is none. 0 is without limit.
	Writes int
}

func (l Limit) withDefaults() Limit {
	l.What = cmp.Or(l.What, "monitor")
	if l.Bytes <= 0 {
		l.Bytes = 16 << 20
	}
	if l.Keys <= 0 {
		l.Keys = 65536
	}
	if l.Handles <= 0 {
		l.Handles = 1024
	}
	return l
}

// rootLimit is the limit of the root at path.
type rootLimit struct {
	Limit
	path path
	pace *rate.Limiter // nil: without limit
}

func newRootLimit(limit Limit, p path) rootLimit {
	l := rootLimit{Limit: limit.withDefaults(), path: p}
	if limit.Writes > 0 {
		l.pace = rate.NewLimiter(rate.Limit(limit.Writes), 10*limit.Writes)
	}
	return l
}

// wait holds up a change until the budget allows it.
func (l *rootLimit) wait(ctx context.Context) error {
	if l == nil || l.pace == nil {
		return nil
	}
	if err := l.pace.Wait(ctx); err != nil {
		return spoolerr.As(err, spoolerr.Exhausted, "%s %s changes its registry more than %d times a second; write less often",
			l.What, spool.Quote(l.Owner), l.Writes)
	}
	return nil
}

// count adds to the usage of every root that p lies in. The name of a root's own key is
// its parent's.
func (t *tx) count(p path, add usage) error {
	if add == (usage{}) {
		return nil
	}
	for n := 0; n <= len(p); n++ {
		at := t.hive.usageName(p[:n])
		if t.plain[at] {
			continue
		}
		if _, known := t.delta[at]; !known {
			_, err := t.Get(at)
			if errors.Is(err, spoolerr.NotFound) {
				t.plain[at] = true
				continue
			}
			if err != nil && !errors.Is(err, spoolerr.Corrupt) {
				return err
			}
		}
		sum := t.delta[at]
		t.delta[at] = usage{sum.bytes + add.bytes, sum.keys + add.keys}
	}
	return nil
}

// settle writes the usage and refuses what exceeds the limit. Shrinking is always
// allowed, also above the limit.
func (t *tx) settle(limit *rootLimit) error {
	for at, add := range t.delta {
		b, err := t.Get(at)
		if errors.Is(err, spoolerr.NotFound) {
			continue // the root was deleted in this transaction
		}
		if err != nil {
			return spoolerr.Wrap(err, "the usage of a registry root of spooler %s", spool.Quote(t.hive.spooler))
		}
		u, err := decodeUsage(b)
		if err != nil {
			return err
		}
		u = usage{max(u.bytes+add.bytes, 0), max(u.keys+add.keys, 0)}
		if limit != nil && at == t.hive.usageName(limit.path) {
			if err := limit.check(u, add); err != nil {
				return err
			}
		}
		if err := t.Put(at, u.encode()); err != nil {
			return err
		}
	}
	return nil
}

func (l *rootLimit) check(u, add usage) error {
	refuse := func(have, most int64, what string) error {
		return spoolerr.New(spoolerr.Exhausted, 0,
			"%s %s would keep %d %s in its registry, its limit is %d; delete what it no longer needs or raise the limit",
			l.What, spool.Quote(l.Owner), have, what, most)
	}
	switch {
	case add.bytes > 0 && u.bytes > l.Bytes:
		return refuse(u.bytes, l.Bytes, "bytes")
	case add.keys > 0 && u.keys > l.Keys:
		return refuse(u.keys, l.Keys, "keys")
	}
	return nil
}

// ensureRoot creates the root's key and counts what is in it, unless that is done.
func (t *tx) ensureRoot(p path) error {
	if _, err := t.create(p, 0); err != nil {
		return err
	}
	b, err := t.Get(t.hive.usageName(p))
	if err == nil {
		_, err = decodeUsage(b)
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, spoolerr.NotFound) && !errors.Is(err, spoolerr.Corrupt) {
		return err
	}
	var u usage
	for i, prefix := range t.hive.subtree(p) {
		for item, err := range t.Scan(prefix, "") {
			if item.Key == "" {
				return err
			}
			if item.Key == t.hive.keyName(nil) {
				continue
			}
			w := weigh(item, i < len(t.hive.subtree(p))/2)
			u = usage{u.bytes + w.bytes, u.keys + w.keys}
		}
	}
	return t.Put(t.hive.usageName(p), u.encode())
}

// weigh says what an entry counts for; a damaged one counts for nothing but its key.
func weigh(item store.Item, key bool) usage {
	if key {
		k, _ := decodeKey(item.Value)
		return usage{bytes: int64(len(k.name)), keys: 1}
	}
	v, _ := decodeValue(item.Value)
	return usage{bytes: int64(len(v.Name) + len(v.Data))}
}
