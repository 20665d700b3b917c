package cluster

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// consider looks at every spooler, and does what is due; on the loop.
func (n *Node) consider() {
	n.mu.Lock()
	v, known := n.view, n.known
	n.mu.Unlock()
	session := n.tenancy.current()
	if !known || session == "" {
		return
	}
	for name := range v.Spoolers {
		if n.local[name] == nil {
			n.mu.Lock()
			n.local[name] = &local{name: name, owner: owner{phase: away}}
			n.mu.Unlock()
		}
	}
	ranking := v.ranking()
	for _, name := range slices.Sorted(maps.Keys(n.local)) {
		l := n.local[name]
		n.compare(v, l, session)
		n.depart(v, l)
		n.take(v, l, ranking[name])
		n.say(l)
		if _, exists := v.Spoolers[name]; !exists && l.owner.phase == away {
			n.giveUp(l)
			n.mu.Lock()
			delete(n.local, name)
			n.mu.Unlock()
		}
	}
}

// compare finds out whether the cluster's record of the owner still is what this node
// thinks.
func (n *Node) compare(v View, l *local, session string) {
	o := v.Owners[l.name]
	mine := spool.Fold(o.Node) == spool.Fold(n.cfg.Name) && o.Session == session
	switch {
	case mine && l.owner.phase == away && o.Epoch > l.over:
		l.own = o
		n.step(l, ownerEvent{what: onGiven})
	case !mine && l.owner.phase != away && l.owner.phase != claiming && o.Epoch > l.own.Epoch:
		n.step(l, ownerEvent{what: onTaken})
	}
}

// depart ends a spooler that is to go: by a move, because the node is drained or stops, or
// because it is deleted.
func (n *Node) depart(v View, l *local) {
	if l.owner.phase == away || l.owner.leave {
		return
	}
	m, moving := v.Moves[l.name]
	switch {
	case moving && !m.Done && spool.Fold(m.From) == spool.Fold(n.cfg.Name) && m.Number > l.own.Moved:
		n.step(l, ownerEvent{what: onLeave, to: m.To})
	case n.leaving || v.Drained[spool.Fold(n.cfg.Name)] || v.Spoolers[l.name].Deleting:
		n.step(l, ownerEvent{what: onLeave})
	}
}

// take claims a spooler without an owner: the first of the ranking at once, the others if
// those before them do not.
func (n *Node) take(v View, l *local, nodes []string) {
	place := slices.Index(nodes, spool.Fold(n.cfg.Name))
	if _, _, owned := v.OwnerOf(l.name); owned || place < 0 || n.leaving {
		l.since = 0
		return
	}
	now := n.cfg.Clock()
	if l.since == 0 {
		l.since = now
	}
	if now-l.since >= time.Duration(place)*n.cfg.TTL/5 {
		n.step(l, ownerEvent{what: onChosen})
	}
}

// step plays an event of one spooler, and does what follows; on the loop.
func (n *Node) step(l *local, e ownerEvent) {
	before := l.owner.phase
	next, actions := ownerStep(l.owner, e)
	l.owner = next
	if next.phase != before {
		n.cfg.Logger.Debug("cluster spooler", "spooler", l.name, "event", e.what, "was", before, "is", next.phase)
	}
	if next.phase == away && before != away {
		l.over, l.since, l.told = max(l.over, l.own.Epoch), 0, Report{}
	}
	for _, a := range actions {
		n.do(l, a)
	}
}

func (n *Node) do(l *local, a ownerAction) {
	switch a.do {
	case doClaim:
		n.claim(l)
	case doOpen:
		n.open(l)
	case doClose:
		n.shut(l, a.to)
	case doHand:
		n.hand(l, a.to)
	case doKill:
		n.kill(l)
	case doSleep:
		time.AfterFunc(a.delay, func() { n.post(func() { n.step(l, ownerEvent{what: onDue}) }) })
	}
}

// background runs fn, and then what it gives on the loop.
func (n *Node) background(fn func() func()) {
	n.work.Go(func() {
		if then := fn(); then != nil {
			n.post(then)
		}
	})
}

// say writes down how a spooler does, if that has changed.
func (n *Node) say(l *local) {
	instance := n.instanceOf(l)
	if l.owner.phase != online || instance == nil {
		return
	}
	if l.saying {
		l.again = true
		return
	}
	l.saying = true
	own, told := l.own, l.told
	n.background(func() func() {
		r := instance.Report()
		var err error
		if !reflect.DeepEqual(r, told) {
			err = n.writeState(own, l.name, r)
		}
		return func() {
			l.saying = false
			if err == nil && l.own.Epoch == own.Epoch {
				n.told(l, told, r)
				l.told = r
			}
			if l.again {
				l.again = false
				n.say(l)
			}
		}
	})
}

// told makes events of what has changed.
func (n *Node) told(l *local, before, after Report) {
	if before.State == after.State {
		return
	}
	name := n.displayName(l.name)
	switch after.State {
	case "online":
		n.noteSpooler(eventlog.SpoolerOnline, eventlog.Info, name, fmt.Sprintf("spooler %s is online on %s, epoch %d, with %s", spool.Quote(name), n.cfg.Name, l.own.Epoch, printers(after.Printers)))
	case "online-incomplete":
		why := ""
		if len(after.Problems) > 0 {
			why = ": " + after.Problems[0]
		}
		n.noteSpooler(eventlog.SpoolerIncomplete, eventlog.Warning, name,
			fmt.Sprintf("spooler %s is online on %s, epoch %d, but incomplete: %d of %d printers are missing; their jobs are accepted and kept, and it is retried%s",
				spool.Quote(name), n.cfg.Name, l.own.Epoch, after.Missing, after.Printers, why))
	default:
		return
	}
	n.arrived(l, after)
}

func (n *Node) displayName(folded string) string {
	v, _ := n.View()
	return v.display(folded)
}

func (n *Node) instanceOf(l *local) Instance {
	n.mu.Lock()
	defer n.mu.Unlock()
	return l.instance
}
