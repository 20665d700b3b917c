package cluster

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// What a take-over has to wait for, the end of a lease or of documents on another node, is
// time in which much of it can be done: the printers are read and the monitors are started
// (Config.Prepare). It is done by the node that will own the spooler if nothing comes in
// between: the target of a move, and the first of the ranking when the owner has been silent
// for so long that it has suspended itself.

const (
	// aheadMost is how many spoolers are got ready at a time; those with the most printers
	// gain the most.
	aheadMost = 4
	// aheadRest is how long a spooler is left alone after it was got ready in vain: a machine
	// that is too busy for beats in time is not given more to do.
	aheadRest = time.Minute
)

// ahead is one spooler that is being got ready, or is ready.
type ahead struct {
	epoch  uint64 // of the owner that it is to follow
	cancel context.CancelFunc
	over   chan struct{} // closed when made is known
	made   Ahead         // nil if it has failed
}

// wait gives what there is, when it is there.
func (a *ahead) wait() Ahead {
	if a == nil {
		return nil
	}
	<-a.over
	return a.made
}

// foresee gets spoolers ready that this node is likely to own soon, and gives up what it
// need not have done; on the loop.
func (n *Node) foresee() {
	if n.cfg.Prepare == nil {
		return
	}
	v, _ := n.View()
	coming := n.coming(v)
	busy := 0
	for name, l := range n.local {
		switch {
		case l.ahead == nil:
		case l.owner.phase == away && !slices.Contains(coming, name) && !n.awaits(v, l):
			n.giveUp(l)
		default:
			busy++
		}
	}
	now := n.cfg.Clock()
	for _, name := range coming {
		if l := n.local[name]; busy < aheadMost && l != nil && l.ahead == nil && l.owner.phase == away && now >= l.aheadFrom {
			n.getReady(v, l)
			busy++
		}
	}
}

// coming names the spoolers with an owner that this node is likely to own next, the largest
// first.
func (n *Node) coming(v View) []string {
	self := spool.Fold(n.cfg.Name)
	if m, ok := v.Members[self]; !ok || m.Leaving || v.Drained[self] || n.tenancy.current() == "" {
		return nil
	}
	names := v.movedTo(self)
	without := v
	without.Members = maps.Clone(v.Members)
	maps.DeleteFunc(without.Members, func(_ string, m Member) bool { return n.silent(m) })
	if len(without.Members) < len(v.Members) {
		for name, nodes := range without.ranking() {
			if _, _, owned := v.OwnerOf(name); owned && nodes[0] == self && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(v.States[b].Printers, v.States[a].Printers), cmp.Compare(a, b))
	})
	return names
}

// movedTo names the spoolers that are on their way to a node.
func (v View) movedTo(node string) (names []string) {
	for name, m := range v.Moves {
		if o, _, owned := v.OwnerOf(name); m.Done || !owned || spool.Fold(o.Node) != spool.Fold(m.From) {
			continue
		}
		if target, ok := v.target(name, m.To, m.From); ok && spool.Fold(target.Name) == node {
			names = append(names, name)
		}
	}
	return names
}

// silent says that a node has not been heard for as long as it takes to suspend itself.
func (n *Node) silent(m Member) bool {
	h, beats := n.heard[beatKey(m.Name, m.Session)]
	return beats && n.cfg.Clock()-h.since >= n.cfg.TTL/2 && spool.Fold(m.Name) != spool.Fold(n.cfg.Name)
}

// awaits says that what was got ready may still be needed: the owner whom it is to follow
// has gone, or is just being removed, and there is no other yet.
func (n *Node) awaits(v View, l *local) bool {
	o := v.Owners[l.name]
	m, there := v.Members[spool.Fold(o.Node)]
	_, beats := n.heard[beatKey(m.Name, m.Session)]
	return o.Epoch == l.ahead.epoch && (!there || m.Session != o.Session || !beats) && n.tenancy.current() != ""
}

func (n *Node) getReady(v View, l *local) {
	ctx, cancel := context.WithCancel(n.loop)
	o, s := v.Owners[l.name], v.Spoolers[l.name]
	a := &ahead{epoch: o.Epoch, cancel: cancel, over: make(chan struct{})}
	l.ahead = a
	n.cfg.Logger.Info("a cluster spooler is got ready here", "spooler", s.Name, "owner", o.Node)
	n.work.Go(func() {
		defer close(a.over)
		made, err := n.cfg.Prepare(ctx, s)
		if err == nil {
			a.made = made
		} else if ctx.Err() == nil {
			n.warn("spooler "+spool.Quote(s.Name)+" could not be got ready", err)
		}
	})
}

// giveUp discards what was got ready; on the loop.
func (n *Node) giveUp(l *local) {
	a := l.ahead
	if a == nil {
		return
	}
	l.ahead, l.aheadFrom = nil, n.cfg.Clock()+aheadRest
	a.cancel()
	n.cfg.Logger.Info("a cluster spooler is not needed here", "spooler", l.name)
	n.work.Go(func() {
		if made := a.wait(); made != nil {
			made.Discard()
		}
	})
}
