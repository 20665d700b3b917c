package spooler

import (
	"context"
	"reflect"
	"slices"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// A node that is likely to own a spooler soon starts its monitors ahead, while the lease of
// the owner runs out or its documents finish: their processes and, of those that stand by,
// all that comes before a port is opened. Nothing can be sent by them: a port is opened by
// Run, which only the owner calls.

// ahead is a start that has begun before the spooler was online.
type ahead struct {
	over  chan struct{} // closed when it is known how it came out
	ready *prepared     // nil if it has failed; then it is tried again when it counts
}

// GetReady begins to start the monitors that the spooler needs. Load has made it; Run or
// Discard must follow.
func (s *Spooler) GetReady() {
	for _, m := range s.cfg.Catalog.List() {
		if !s.needed(m.Name) {
			continue
		}
		u, a := s.newUnit(context.Background(), m), &ahead{over: make(chan struct{})} // it ends with the unit
		u.ahead = a
		s.early = append(s.early, u)
		go func() {
			defer close(a.over)
			var err error
			if a.ready, err = s.prepare(u.life, u); err != nil && u.life.Err() == nil {
				s.cfg.Logger.Info("a monitor could not be started ahead", "spooler", s.cfg.Name, "monitor", u.name, "error", err)
			}
		}()
	}
}

// Discard ends what GetReady has begun, of a spooler that will not run.
func (s *Spooler) Discard() { s.dismissEarly() }

// dismissEarly ends the units that nobody has taken.
func (s *Spooler) dismissEarly() {
	s.mu.Lock()
	left := s.early
	s.early = nil
	s.mu.Unlock()
	for _, u := range left {
		u.cancel()
	}
	for _, u := range left {
		s.dismiss(u)
	}
}

// takeEarly gives the unit of a monitor that was started ahead, if it is as it was.
func (s *Spooler) takeEarly(m catalog.Monitor) *unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.early, func(u *unit) bool {
		return spool.Fold(u.name) == spool.Fold(m.Name) && reflect.DeepEqual(u.monitor, m)
	})
	if i < 0 {
		return nil
	}
	u := s.early[i]
	s.early = slices.Delete(s.early, i, i+1)
	return u
}

// readied gives what was started ahead, when it is there; nil if nothing was, or in vain.
func (s *Spooler) readied(u *unit) (*prepared, error) {
	a := s.takeAhead(u)
	if a == nil {
		return nil, nil
	}
	<-a.over // as soon as the unit ends, too
	if err := u.life.Err(); err != nil {
		s.letGo(u, a)
		return nil, err
	}
	return a.ready, nil
}

func (s *Spooler) takeAhead(u *unit) *ahead {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := u.ahead
	u.ahead = nil
	return a
}

// dismiss ends what was started ahead for a unit that has been cancelled.
func (s *Spooler) dismiss(u *unit) {
	if a := s.takeAhead(u); a != nil {
		<-a.over
		s.letGo(u, a)
	}
}

func (s *Spooler) letGo(u *unit, a *ahead) {
	if a.ready != nil {
		err := s.shutDown(context.Background(), u, a.ready.instance, nil, nil)
		a.ready.instance.Abandon("it was started ahead, and is not needed", spoolerr.KindOf(err) == spoolerr.TimedOut)
	}
}
