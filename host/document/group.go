package document

import "sync"

// syncGroup lets concurrent callers share a sync: whoever comes first leads, waits for
// the sync under way, and syncs for all who came meanwhile.
type syncGroup struct {
	fn func() error

	mu   sync.Mutex
	last *syncRound
}

type syncRound struct {
	begun  bool // too late to join: the sync may have missed what the caller did
	before <-chan struct{}
	done   chan struct{}
	err    error
}

// do returns when a sync that began after the call has ended.
func (g *syncGroup) do() error {
	round, leader := g.join()
	if !leader {
		<-round.done
		return round.err
	}
	defer close(round.done)
	if round.before != nil {
		<-round.before
	}
	g.mu.Lock()
	round.begun, round.before = true, nil
	g.mu.Unlock()
	round.err = g.fn()
	return round.err
}

func (g *syncGroup) join() (round *syncRound, leader bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last != nil && !g.last.begun {
		return g.last, false
	}
	round = &syncRound{done: make(chan struct{})}
	if g.last != nil {
		round.before = g.last.done
	}
	g.last = round
	return round, true
}
