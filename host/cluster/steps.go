package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
)

// bookTime bounds the writing of what is only told: a store that fails must not hold up a
// move.
const bookTime = 2 * time.Second

// stepHanded is the step after which the next owner goes on.
const stepHanded = "handed over"

// add puts steps behind the others of their node, in the order of time: each may be written
// by itself, and come late, or again.
func (m *Move) add(steps ...Step) {
	for _, s := range steps {
		again := func(t Step) bool { return t.Name == s.Name && t.Node == s.Node && t.At.Equal(s.At) }
		if len(m.Steps) >= maxSteps || slices.ContainsFunc(m.Steps, again) {
			continue
		}
		at := len(m.Steps)
		for at > 0 && m.Steps[at-1].Node == s.Node && m.Steps[at-1].At.After(s.At) {
			at--
		}
		m.Steps = slices.Insert(m.Steps, at, s)
	}
}

// handed says that the move has come as far as to the next owner.
func (m *Move) handed() bool {
	return slices.ContainsFunc(m.Steps, func(s Step) bool { return s.Name == stepHanded })
}

// update changes the record of a spooler's move, as well as it can.
func (n *Node) update(name string, change func(*Move)) {
	ctx, cancel := context.WithTimeout(n.loop, bookTime)
	defer cancel()
	err := n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var m Move
		if found, err := getJSON(tx, moveKey(name), &m); err != nil || !found || m.Done {
			return err
		}
		change(&m)
		return putJSON(tx, moveKey(name), m)
	})
	if err != nil {
		n.warn("the steps of a move were not written down", err)
	}
}

// progress adds a step to the move under way, if there is one.
func (n *Node) progress(l *local, step, text string) {
	v, _ := n.View()
	m, ok := v.Moves[l.name]
	if _, exists := v.Spoolers[l.name]; !exists || (!ok || m.Done) && step == "opened" {
		return
	}
	at := n.cfg.Now()
	n.work.Go(func() {
		n.update(l.name, func(m *Move) {
			m.Waits = ""
			m.add(Step{Name: step, Node: n.cfg.Name, At: at, Text: text})
		})
	})
}

// departure writes down a move that nobody asked for by name: a drain, the end of a host.
func (n *Node) departure(l *local, to string) {
	v, _ := n.View()
	if m, ok := v.Moves[l.name]; ok && !m.Done || v.Spoolers[l.name].Deleting {
		return
	}
	reason := "node " + n.cfg.Name + " is drained"
	if n.leaving {
		reason = "the host on node " + n.cfg.Name + " stops"
	}
	ctx, cancel := context.WithTimeout(n.loop, bookTime)
	defer cancel()
	err := n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var m Move
		if _, err := getJSON(tx, moveKey(l.name), &m); err != nil {
			return err
		}
		return putJSON(tx, moveKey(l.name), Move{
			Number: m.Number + 1, From: n.cfg.Name, To: to, By: "node " + n.cfg.Name, Reason: reason, Asked: n.cfg.Now(),
		})
	})
	if err != nil {
		n.warn("a move was not written down", err)
	}
}

// arrived ends the move by which a spooler came.
func (n *Node) arrived(l *local, r Report) {
	at, number := n.cfg.Now(), l.own.Moved
	text := printers(r.Printers)
	if r.State != "online" {
		text = fmt.Sprintf("%d of %d printers are missing: %s", r.Missing, r.Printers, strings.Join(r.Problems, "; "))
	}
	n.work.Go(func() {
		n.update(l.name, func(m *Move) {
			if m.Number != number {
				return // one that is still to come
			}
			if !m.handed() {
				m.Failure = "node " + m.From + " died or was cut off before it had handed over; node " + n.cfg.Name + " has taken over"
			}
			m.Waits, m.Done = "", true
			m.add(Step{Name: r.State, Node: n.cfg.Name, At: at, Text: text})
		})
	})
}

// writeState writes down how a spooler does, while this node owns it.
func (n *Node) writeState(own Owner, name string, r Report) error {
	ctx, cancel := context.WithTimeout(n.loop, bookTime)
	defer cancel()
	return n.guarded(name, own).Update(ctx, func(tx store.Tx) error {
		return putJSON(tx, stateKey(name), State{Report: r, Node: n.cfg.Name, Epoch: own.Epoch, At: n.cfg.Now()})
	})
}

// printers counts them in words.
func printers(n int) string {
	if n == 1 {
		return "1 printer"
	}
	return fmt.Sprintf("%d printers", n)
}
