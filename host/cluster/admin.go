package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// What operators ask for. Any node writes it down; the owner carries it out.

// maxPreferred bounds the list of preferred owners.
const maxPreferred = 64

// Create makes a cluster spooler; placement brings it online.
func (n *Node) Create(ctx context.Context, name string, preferred []string) error {
	if err := spool.CheckName("spooler", name); err != nil {
		return err
	}
	if spool.Fold(name) == "node" {
		return spoolerr.New(spoolerr.Exists, 0, "node is the name of each node's own spooler; choose another name")
	}
	if len(preferred) > maxPreferred {
		return spoolerr.New(spoolerr.Invalid, 0, "%d preferred owners are too many; name at most %d", len(preferred), maxPreferred)
	}
	for i, p := range preferred {
		if err := spool.CheckName("node", p); err != nil {
			return err
		}
		if slices.ContainsFunc(preferred[:i], func(o string) bool { return spool.Fold(o) == spool.Fold(p) }) {
			return spoolerr.New(spoolerr.Invalid, 0, "node %s is named twice among the preferred owners", spool.Quote(p))
		}
	}
	return n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var old Spooler
		found, err := getJSON(tx, spoolerKey(name), &old)
		switch {
		case err != nil:
			return err
		case found && old.Deleting:
			return spoolerr.New(spoolerr.Busy, 0, "spooler %s is still being deleted; try again, or see spoolhost spooler show %s", spool.Quote(name), name)
		case found:
			return spoolerr.New(spoolerr.Exists, 0, "spooler %s exists already; choose another name", spool.Quote(old.Name))
		}
		return putJSON(tx, spoolerKey(name), Spooler{Name: name, Preferred: preferred, Created: n.cfg.Now()})
	})
}

// Delete ends a spooler and removes all that it has. One with jobs is refused, unless
// forced.
func (n *Node) Delete(ctx context.Context, name string, force bool) error {
	return n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		s, err := getSpooler(tx, name)
		if err != nil {
			return err
		}
		jobs, err := job.HasActive(tx, name)
		if err != nil {
			return err
		}
		if jobs && !force {
			return spoolerr.New(spoolerr.Busy, 0,
				"spooler %s has jobs that are not finished; let them print or cancel them, or delete it with --force and lose them", spool.Quote(s.Name))
		}
		s.Deleting = true
		return putJSON(tx, spoolerKey(name), s)
	})
}

func getSpooler(tx store.Tx, name string) (s Spooler, err error) {
	found, err := getJSON(tx, spoolerKey(name), &s)
	if err == nil && !found {
		err = unknownSpooler(name)
	}
	return s, err
}

func unknownSpooler(name string) error {
	return spoolerr.New(spoolerr.NotFound, 0, "spooler %s does not exist; see spoolhost spooler list", spool.Quote(name))
}

// Move asks the owner of a spooler to give it to another node; empty is the best one. It
// refuses what would lose a printer, unless forced. The number names this move.
func (n *Node) Move(ctx context.Context, name, to, by string, force bool) (number uint64, err error) {
	err = n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		s, err := getSpooler(tx, name)
		if err != nil {
			return err
		}
		v, err := readView(tx)
		if err != nil {
			return err
		}
		target, err := v.checkMove(s, to, force)
		if err != nil {
			return err
		}
		before := v.Moves[spool.Fold(name)]
		number = before.Number + 1
		m := Move{Number: number, From: v.Owners[spool.Fold(name)].Node, To: target.Name, By: by, Reason: "asked for by " + by, Asked: n.cfg.Now()}
		m.add(Step{Name: "checked", Node: n.cfg.Name, At: m.Asked, Text: checked(v, name, target)})
		return putJSON(tx, moveKey(name), m)
	})
	return number, err
}

func checked(v View, name string, target Member) string {
	if reasons, _ := v.lacks(name, target); len(reasons) > 0 {
		return target.Name + " lacks something, and the move is forced: " + strings.Join(reasons, "; ")
	}
	return target.Name + " has every monitor that is needed, with the same digests"
}

// checkMove finds the node to move to, and says why it cannot be.
func (v View) checkMove(s Spooler, to string, force bool) (Member, error) {
	name := spool.Quote(s.Name)
	o, _, owned := v.OwnerOf(s.Name)
	m, ok := v.Members[spool.Fold(to)]
	switch before := v.Moves[spool.Fold(s.Name)]; {
	case s.Deleting:
		return m, spoolerr.New(spoolerr.Precondition, 0, "spooler %s is being deleted", name)
	case !owned:
		return m, spoolerr.New(spoolerr.Unavailable, 0, "spooler %s has no owner now, and is taken over by itself; see spoolhost spooler show %s", name, s.Name)
	case !before.Done && before.Number > o.Moved:
		return m, spoolerr.New(spoolerr.Busy, 0, "spooler %s is being moved from %s to %s already; see spoolhost spooler show %s", name, before.From, before.To, s.Name)
	case to == "":
		return v.bestOther(s, o, force)
	case spool.Fold(to) == spool.Fold(o.Node):
		return m, spoolerr.New(spoolerr.Precondition, 0, "spooler %s is on node %s already", name, o.Node)
	case !ok:
		return m, spoolerr.New(spoolerr.NotFound, 0, "node %s is not there now; see spoolhost node list", spool.Quote(to))
	case m.Leaving:
		return m, spoolerr.New(spoolerr.Precondition, 0, "node %s is stopping; choose another one", m.Name)
	case v.Drained[spool.Fold(to)]:
		return m, spoolerr.New(spoolerr.Precondition, 0, "node %s is drained; choose another one, or say spoolhost node resume %s", m.Name, m.Name)
	}
	return m, v.checkTarget(s, m, force)
}

func (v View) bestOther(s Spooler, o Owner, force bool) (Member, error) {
	for _, node := range v.candidates(s.Name, v.load()) {
		if node != spool.Fold(o.Node) {
			return v.Members[node], v.checkTarget(s, v.Members[node], force)
		}
	}
	return Member{}, spoolerr.New(spoolerr.Unavailable, 0, "no other node can take spooler %s; see spoolhost node list", spool.Quote(s.Name))
}

func (v View) checkTarget(s Spooler, m Member, force bool) error {
	if reasons, printers := v.lacks(s.Name, m); printers > 0 && !force {
		return spoolerr.New(spoolerr.Precondition, 0,
			"spooler %s would lose %d printers on node %s: %s; install the same there, or move it with --force and have them missing until then",
			spool.Quote(s.Name), printers, m.Name, strings.Join(reasons, "; "))
	}
	return nil
}

// Drain has a node give up what it owns and take nothing, or undoes that.
func (n *Node) Drain(ctx context.Context, node string, on bool) error {
	return n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var m Member
		found, err := getJSON(tx, memberKey(node), &m)
		if err != nil {
			return err
		}
		if !on {
			return tx.Delete(drainKey(node))
		}
		if !found {
			return spoolerr.New(spoolerr.NotFound, 0, "node %s is not there now; see spoolhost node list", spool.Quote(node))
		}
		return putJSON(tx, drainKey(node), n.cfg.Now())
	})
}

// WaitOwner gives the living owner of a spooler, waiting for one until ctx ends.
func (n *Node) WaitOwner(ctx context.Context, name string) (Member, error) {
	for {
		v, changed, err := n.find(ctx, name)
		if err != nil {
			return Member{}, err
		}
		if _, m, ok := v.OwnerOf(name); ok {
			return m, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Member{}, spoolerr.New(spoolerr.Unavailable, 0,
				"spooler %s has no owner at this moment; jobs are accepted, all else has to be tried again%s", spool.Quote(name), v.whyNone())
		}
	}
}

// whyNone says why spoolers may have no owner.
func (v View) whyNone() string {
	able := 0
	for name, m := range v.Members {
		if !m.Leaving && !v.Drained[name] {
			able++
		}
	}
	if able == 0 {
		return fmt.Sprintf(": none of the %d nodes that are there takes spoolers; see spoolhost node list", len(v.Members))
	}
	return ""
}

// WaitSeen waits until this node's view has a spooler.
func (n *Node) WaitSeen(ctx context.Context, name string) error {
	for {
		v, changed := n.View()
		if _, exists := v.Spoolers[spool.Fold(name)]; exists {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return spoolerr.Wrap(ctx.Err(), "spooler %s was created, and is not seen yet", spool.Quote(name))
		}
	}
}

// WatchMove gives a move to tell, once and then at each change, until it is over or tell
// wants no more.
func (n *Node) WatchMove(ctx context.Context, name string, number uint64, tell func(Move) (more bool, err error)) error {
	said := ""
	for {
		v, changed := n.View()
		if m := v.Moves[spool.Fold(name)]; m.Number == number {
			if now := string(encode(m)); now != said {
				said = now
				if more, err := tell(m); err != nil || !more || m.Done {
					return err
				}
			}
		} else if _, exists := v.Spoolers[spool.Fold(name)]; m.Number > number || !exists {
			return nil // it is history
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return spoolerr.Wrap(ctx.Err(), "the move of spooler %s goes on", spool.Quote(name))
		}
	}
}
