package cluster

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Beats are how nodes see one another's death in time also when etcd's leader dies with a
// node, as it does if it runs inside it: the next leader gives every lease its whole time
// again. With each renewal a node writes its beat, and only if that is still there; who sees
// no other beat of a node for the time of a lease removes it from the cluster, by a
// transaction that fails if there is one. The node counts from before it sent the renewal,
// the others from when they saw it: it has fenced itself long before.

// beatPrefix is outside "cluster/": nothing else changes with a beat.
//
//	beat/NODE/SESSION    under the node's lease, another value with each renewal
const beatPrefix = "beat/"

func beatKey(node, session string) string { return beatPrefix + spool.Fold(node) + "/" + session }

// heard is a beat that was seen.
type heard struct {
	value []byte
	since time.Duration // by this node's clock; not before it was written
}

// listen notes the beats of all nodes until ctx ends.
func (n *Node) listen(ctx context.Context, watch *store.Watcher) {
	for {
		now, err := n.hear(ctx)
		if err == nil {
			n.post(func() { n.heard = now })
			if _, err = watch.Next(ctx); err == nil {
				continue
			}
		}
		if ctx.Err() != nil || !wait(ctx, n.cfg.TTL/5) {
			return
		}
	}
}

// hear reads all beats; those that have not changed are as old as before.
func (n *Node) hear(ctx context.Context) (map[string]heard, error) {
	var now map[string]heard
	err := n.cfg.Store.View(ctx, func(tx store.Tx) error {
		now = make(map[string]heard)
		for item, err := range tx.Scan(beatPrefix, "") {
			if err != nil {
				return err
			}
			now[item.Key] = heard{value: item.Value}
		}
		return nil
	})
	at := n.cfg.Clock()
	for key, h := range now {
		if h.since = at; bytes.Equal(n.beats[key].value, h.value) {
			h.since = n.beats[key].since
		}
		now[key] = h
	}
	if err != nil {
		return nil, err
	}
	n.beats = now
	return maps.Clone(now), nil
}

// bury removes the nodes that have been silent for the time of a lease; on the loop. A node
// that does not beat, of an older version, lives as long as its lease.
func (n *Node) bury() {
	v, _ := n.View()
	now := n.cfg.Clock()
	if n.tenancy.current() == "" {
		return
	}
	for _, m := range v.Members {
		key := beatKey(m.Name, m.Session)
		h, beats := n.heard[key]
		if !beats || now-h.since < n.cfg.TTL || spool.Fold(m.Name) == spool.Fold(n.cfg.Name) {
			continue
		}
		delete(n.heard, key) // one attempt for each time that it is heard
		n.background(func() func() {
			ctx, cancel := context.WithTimeout(n.loop, bookTime)
			defer cancel()
			if removed, err := n.removeSilent(ctx, m, h.value); err != nil {
				n.warn("node "+m.Name+" is silent, and was not removed", err)
				h.since = n.cfg.Clock() - n.cfg.TTL*9/10 // once more, but not at once
				return func() { n.heard[key] = h }
			} else if removed {
				n.note(eventlog.NodeSilent, eventlog.Warning, "node "+m.Name+" has been silent for the time of a lease; its spoolers are taken over")
			}
			return nil
		})
	}
}

func (n *Node) removeSilent(ctx context.Context, m Member, beat []byte) (removed bool, err error) {
	key := beatKey(m.Name, m.Session)
	err = n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		removed = false
		last, err := tx.Get(key)
		switch {
		case errors.Is(err, spoolerr.NotFound): // somebody else was first
			return nil
		case err != nil || !bytes.Equal(last, beat): // it beats
			return err
		}
		var now Member
		if found, err := getJSON(tx, memberKey(m.Name), &now); err != nil || !found || now.Session != m.Session {
			return err
		}
		removed = true
		if err := tx.Delete(key); err != nil {
			return err
		}
		return tx.Delete(memberKey(m.Name))
	})
	return removed, err
}

// wait is false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
