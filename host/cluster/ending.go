package cluster

import (
	"sync"
	"time"
)

// ending is how an instance ends in order, for the record of the move.
type ending struct {
	ran     chan struct{} // closed when it has ended; at is when
	at      time.Time
	watched chan struct{} // closed when all has been told that it waited for

	mu    sync.Mutex
	steps []Step
}

func newEnding() *ending {
	return &ending{ran: make(chan struct{}), watched: make(chan struct{})}
}

// add gives all steps until now.
func (e *ending) add(s Step) []Step {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.steps = append(e.steps, s)
	return e.steps[:len(e.steps):len(e.steps)]
}

// last gives all steps, of which s is the last, once the others are known.
func (e *ending) last(s Step) []Step {
	if e == nil {
		return []Step{s}
	}
	<-e.watched
	e.mu.Lock()
	defer e.mu.Unlock()
	return append(e.steps[:len(e.steps):len(e.steps)], s)
}

// shut ends an instance in order, and writes down what it waits for.
func (n *Node) shut(l *local, to string) {
	n.mu.Lock()
	instance, cancel := l.instance, l.cancel
	n.mu.Unlock()
	l.ending = l.ran
	end := l.ending
	n.departure(l, to)
	n.background(func() func() {
		defer close(end.watched)
		instance.Suspend(true)
		n.ended(l, end, Step{Name: "stopped", At: n.cfg.Now(), Text: "no new documents start; jobs are accepted and kept"})
		cancel()
		at := n.watchWaits(l, instance, end)
		n.ended(l, end, Step{Name: "documents ended", At: at, Text: "every document has finished, failed or was interrupted"})
		return nil
	})
}

// ended writes a step down, and those before it, if they are not yet. Handing over does not wait for that, and brings it along.
func (n *Node) ended(l *local, end *ending, s Step) {
	s.Node = n.cfg.Name
	steps := end.add(s)
	n.work.Go(func() {
		n.update(l.name, func(m *Move) {
			m.Waits = ""
			m.add(steps...)
		})
	})
}

// watchWaits writes down what the end of an instance waits for until it waits for nothing,
// and gives when that was.
func (n *Node) watchWaits(l *local, instance Instance, end *ending) time.Time {
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	last := ""
	for {
		at, waits := n.cfg.Now(), instance.Waits()
		select {
		case <-end.ran:
			return end.at
		default:
		}
		if waits == "" {
			return at
		}
		if waits != last {
			n.update(l.name, func(m *Move) { m.Waits = waits })
			last = waits
		}
		select {
		case <-t.C:
		case <-end.ran:
		}
	}
}
