package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// errNotOurs: the record of the owner is not what this node has.
var errNotOurs = errors.New("another node owns the spooler")

// claim writes this node down as the owner of a spooler that has none.
func (n *Node) claim(l *local) {
	session := n.tenancy.current()
	n.background(func() func() {
		own := Owner{Node: n.cfg.Name, Session: session, Since: n.cfg.Now()}
		var before Owner
		err := n.cfg.Store.Update(n.loop, func(tx store.Tx) (err error) {
			before, err = claimIn(tx, l.name, &own)
			return err
		})
		return func() {
			switch {
			case errors.Is(err, errNotOurs):
				n.step(l, ownerEvent{what: onRefused})
			case err != nil:
				n.warn("spooler "+spool.Quote(l.name)+" was not taken over", err)
				n.step(l, ownerEvent{what: onBroken})
			default:
				l.own = own
				n.noteTaken(l, before)
				n.step(l, ownerEvent{what: onClaimed})
			}
		}
	})
}

// claimIn is a claim's transaction. That the owner before is gone is part of it.
func claimIn(tx store.Tx, name string, own *Owner) (before Owner, err error) {
	var s Spooler
	if found, err := getJSON(tx, spoolerKey(name), &s); err != nil || !found {
		return before, errors.Join(err, errNotOurs)
	}
	if _, err = getJSON(tx, ownerKey(name), &before); err != nil {
		return before, err
	}
	if before.Node != "" {
		var m Member
		if alive, err := getJSON(tx, memberKey(before.Node), &m); err != nil || alive && m.Session == before.Session {
			return before, errors.Join(err, errNotOurs)
		}
	}
	var m Move
	if _, err = getJSON(tx, moveKey(name), &m); err != nil {
		return before, err
	}
	if own.Epoch, err = nextEpoch(tx); err != nil {
		return before, err
	}
	own.Moved = m.Number
	return before, putJSON(tx, ownerKey(name), own)
}

func (n *Node) noteTaken(l *local, before Owner) {
	name := n.displayName(l.name)
	var text string
	how, severity := "taken over", eventlog.Warning
	switch {
	case before == Owner{}:
		how, severity, text = "taken", eventlog.Info, "it has been created"
	case before.Node == "":
		text = "it had no owner"
	case spool.Fold(before.Node) == spool.Fold(n.cfg.Name):
		text = "this node had it under an earlier lease"
	default:
		text = "node " + before.Node + " did not renew its lease"
	}
	n.noteSpooler(eventlog.SpoolerTaken, severity, name,
		fmt.Sprintf("spooler %s is %s by %s, epoch %d: %s", spool.Quote(name), how, n.cfg.Name, l.own.Epoch, text))
}

// open makes an instance and runs it.
func (n *Node) open(l *local) {
	l.ending = nil
	v, _ := n.View()
	own, ready := l.own, l.ahead
	l.ahead = nil
	s := v.Spoolers[l.name]
	n.background(func() func() {
		began := n.cfg.Clock()
		o := Ownership{Spooler: s, Epoch: own.Epoch, Store: n.guarded(l.name, own), Ahead: ready.wait()}
		instance, err := n.cfg.Open(n.loop, o)
		took := n.cfg.Clock() - began
		return func() { n.opened(l, own, instance, err, took) }
	})
}

func (n *Node) opened(l *local, own Owner, instance Instance, err error, took time.Duration) {
	switch {
	case err != nil && l.owner.phase == killing:
		n.step(l, ownerEvent{what: onKilled})
	case err != nil:
		n.warn("spooler "+spool.Quote(l.name)+" cannot be opened", err)
		n.step(l, ownerEvent{what: onBroken})
	case l.owner.phase != opening:
		n.background(func() func() {
			_ = instance.Close()
			return func() { n.step(l, ownerEvent{what: onKilled}) }
		})
	default:
		n.start(l, own, instance)
		n.progress(l, "opened", fmt.Sprintf("%s read in %v", printers(instance.Report().Printers), took.Round(time.Millisecond)))
		n.step(l, ownerEvent{what: onOpened})
	}
}

// start runs an opened instance. What the fence demanded meanwhile it learns now.
func (n *Node) start(l *local, own Owner, instance Instance) {
	ctx, cancel := context.WithCancel(n.loop)
	end := newEnding()
	l.ran, l.ending = end, nil
	n.mu.Lock()
	l.instance, l.cancel = instance, cancel
	n.mu.Unlock()
	instance.Suspend(!n.tenancy.mayPrint())
	n.background(func() func() {
		err := instance.Run(ctx)
		end.at = n.cfg.Now()
		close(end.ran)
		cancel()
		if closeErr := instance.Close(); err == nil {
			err = closeErr
		}
		return func() {
			if err != nil {
				n.warn("spooler "+spool.Quote(l.name)+" has ended", err)
			}
			n.mu.Lock()
			l.instance, l.cancel = nil, nil
			n.mu.Unlock()
			if l.owner.phase == killing {
				n.step(l, ownerEvent{what: onKilled})
				return
			}
			n.step(l, ownerEvent{what: onClosed})
		}
	})
	n.background(func() func() {
		instance.WaitStarted(ctx)
		return func() { n.say(l) } // whoever waits for a move need not wait for the next look
	})
	if n.tenancy.current() != own.Session {
		n.step(l, ownerEvent{what: onFenced})
	}
}

// guarded gives the store as an owner has it: bound to the record that makes it the owner,
// and closed by the fence before the cluster can know. This is the first thing that happens
// in the write path when the process was stopped and wakes.
func (n *Node) guarded(name string, own Owner) store.Store {
	return &fencedStore{Store: store.Guard(n.cfg.Store, ownerKey(name), string(encode(own))), tenancy: n.tenancy, session: own.Session}
}

type fencedStore struct {
	store.Store
	tenancy *tenancy
	session string
}

// Update implements store.Store.
func (f *fencedStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	if !f.tenancy.holds(f.session) {
		return spoolerr.As(store.ErrFenced, spoolerr.Precondition, "nothing was written: the lease of this node may have run out")
	}
	return f.Store.Update(ctx, fn)
}

// kill ends an instance without waiting for anything.
func (n *Node) kill(l *local) {
	n.mu.Lock()
	instance, cancel := l.instance, l.cancel
	n.mu.Unlock()
	if instance == nil {
		return // it is being opened; opened sees the phase
	}
	n.background(func() func() {
		instance.Kill("this node does not own the spooler any more")
		cancel()
		return nil
	})
}

// hand gives a spooler that has ended here to another node, or removes it.
func (n *Node) hand(l *local, to string) {
	v, _ := n.View()
	own, end := l.own, l.ending
	if v.Spoolers[l.name].Deleting {
		n.remove(l, v.Spoolers[l.name])
		return
	}
	down := n.cfg.Now()
	n.background(func() func() {
		var next Owner
		steps := end.last(Step{Name: "shut down", Node: n.cfg.Name, At: down, Text: "ports are closed, monitors have ended, everything is recorded"})
		err := n.cfg.Store.Update(n.loop, func(tx store.Tx) (err error) {
			next, err = n.handIn(tx, l.name, own, to, steps)
			return err
		})
		return func() {
			switch {
			case errors.Is(err, errNotOurs):
				n.step(l, ownerEvent{what: onRefused})
			case err != nil:
				n.warn("spooler "+spool.Quote(l.name)+" was not handed over", err)
				n.step(l, ownerEvent{what: onBroken})
			default:
				n.noteHanded(l, next)
				n.step(l, ownerEvent{what: onHanded})
			}
		}
	})
}

// handIn is the transaction of handing over: the next owner needs no lease to run out.
func (n *Node) handIn(tx store.Tx, name string, own Owner, to string, steps []Step) (next Owner, err error) {
	var now Owner
	if found, err := getJSON(tx, ownerKey(name), &now); err != nil || !found || now.Epoch != own.Epoch {
		return next, errors.Join(err, errNotOurs)
	}
	v, err := readView(tx)
	if err != nil {
		return next, err
	}
	target, ok := v.target(name, to, n.cfg.Name)
	next = Owner{Since: n.cfg.Now()}
	if ok {
		next.Node, next.Session = target.Name, target.Session
	}
	if next.Epoch, err = nextEpoch(tx); err != nil {
		return next, err
	}
	m := v.Moves[name]
	m.Waits = ""
	m.To, next.Moved = next.Node, m.Number
	step := stepHanded
	if !ok {
		step, m.Done, m.Failure = "released", true, "no other node can take it now; the next one that can takes it"
	}
	m.add(steps...)
	m.add(Step{Name: step, Node: n.cfg.Name, At: next.Since, Text: next.Node})
	return next, errors.Join(putJSON(tx, ownerKey(name), next), putJSON(tx, moveKey(name), m))
}

// target is who gets a spooler: the node that was asked for, if it can take it, else the
// best of the others.
func (v View) target(name, to, from string) (Member, bool) {
	if m, ok := v.Members[spool.Fold(to)]; ok && to != "" && !m.Leaving && !v.Drained[spool.Fold(to)] {
		return m, true
	}
	for _, node := range v.candidates(name, v.load()) {
		if node != spool.Fold(from) {
			return v.Members[node], true
		}
	}
	return Member{}, false
}

func (n *Node) noteHanded(l *local, next Owner) {
	name := n.displayName(l.name)
	text := fmt.Sprintf("spooler %s has gone from %s to %s, epoch %d", spool.Quote(name), n.cfg.Name, next.Node, next.Epoch)
	if next.Node == "" {
		text = fmt.Sprintf("spooler %s has been released by %s; no other node can take it now", spool.Quote(name), n.cfg.Name)
	}
	n.noteSpooler(eventlog.SpoolerMoved, eventlog.Info, name, text)
}
