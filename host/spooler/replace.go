package spooler

import (
	"context"
	"fmt"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// ReplaceMonitor starts a changed monitor beside the one that is installed, in every
// spooler; only if all starts succeed is it stored and put in the other's place.
func ReplaceMonitor(ctx context.Context, in *catalog.Catalog, spoolers []*Spooler, m catalog.Monitor, evenIfBroken bool) (err error) {
	var prepared []*Replacement
	defer func() {
		if err == nil {
			return
		}
		for _, r := range prepared {
			r.Discard()
		}
	}()
	for _, s := range spoolers {
		if s.Dormant(m.Name) {
			continue // it will start as what it is then
		}
		r, err := s.PrepareReplacement(ctx, m, evenIfBroken)
		if err != nil {
			return spoolerr.Wrap(err, "monitor %s stays as it is: the new one did not start in spooler %s", spool.Quote(m.Name), s.Name())
		}
		prepared = append(prepared, r)
	}
	if err := in.Replace(ctx, m); err != nil {
		return err
	}
	for _, r := range prepared {
		r.Switch()
	}
	return nil
}

// Replacement is a monitor as it is to be, running beside the one that prints. It ends
// with Switch or Discard.
type Replacement struct {
	spooler  *Spooler
	old, new *unit
}

// PrepareReplacement starts m beside the monitor of its name. Nothing else changes. A
// monitor that does not run is no reason to keep its options: with evenIfBroken, a start
// that fails is an error only if the old one runs.
func (s *Spooler) PrepareReplacement(ctx context.Context, m catalog.Monitor, evenIfBroken bool) (*Replacement, error) {
	old, err := s.markReplacing(m.Name)
	if err != nil {
		return nil, err
	}
	r := &Replacement{spooler: s, old: old, new: s.newUnit(s.lifetime(), m)}
	s.mu.Lock()
	r.new.changes = old.changes
	s.mu.Unlock()
	if r.new.prepared, err = s.prepare(ctx, r.new); err != nil && (!evenIfBroken || s.isReady(old)) {
		r.Discard()
		return nil, err
	}
	return r, nil
}

func (s *Spooler) isReady(u *unit) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return u.ready()
}

// markReplacing keeps others from changing a monitor meanwhile.
func (s *Spooler) markReplacing(name string) (*unit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[spool.Fold(name)]
	switch {
	case s.runCtx == nil || s.stopping:
		return nil, spoolerr.New(spoolerr.Unavailable, 0, "spooler %s is not online", s.cfg.Name)
	case u == nil:
		return nil, s.noUnit(name)
	case u.changing:
		return nil, spoolerr.New(spoolerr.Busy, 0, "monitor %s is being changed by somebody else; try again", spool.Quote(u.name))
	}
	u.changing = true
	return u, nil
}

// Discard ends the new instance; the old one never noticed.
func (r *Replacement) Discard() {
	if p := r.new.prepared; p != nil {
		err := r.spooler.shutDown(context.Background(), r.new, p.instance, nil, nil)
		p.instance.Abandon("it was not taken into use", spoolerr.KindOf(err) == spoolerr.TimedOut)
	}
	r.new.cancel()
	r.spooler.mu.Lock()
	defer r.spooler.mu.Unlock()
	r.old.changing = false
}

// Switch puts the new instance in the old one's place. Ports without a document move at
// once, each closed by the old instance before the new one opens it; a document in print
// ends where it began. Then the old instance is shut down.
func (r *Replacement) Switch() {
	s, old, next := r.spooler, r.old, r.new
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		r.Discard() // the next life of the host starts with the new one
		return
	}
	ready := next.prepared
	for _, p := range s.exchange(old, next) {
		s.goBackground(func(ctx context.Context) { s.release(ctx, p) })
	}
	s.goBackground(func(context.Context) { <-old.done })
	s.mu.Unlock()
	s.keep(next)
	old.cancel()
	if ready != nil {
		s.noteStart(next, ready)
	}
	m := next.monitor
	s.event(eventlog.MonitorUpgraded, eventlog.Info, eventlog.Monitor, m.Name,
		fmt.Sprintf("monitor %s now is %s, version %s, with %s; documents in print end with the old process",
			spool.Quote(m.Name), m.Path, spool.Quote(m.ModuleVersion), m.Options))
}

// exchange gives one unit's place and ports to another; s.mu is held. The ports that it
// returns are open in the old unit and reserved for it: releasing them closes them there.
func (s *Spooler) exchange(old, next *unit) (open []*port) {
	s.units[spool.Fold(old.name)] = next
	old.replaced = true
	next.starts, next.lastError, next.lastErrorAt = old.starts, old.lastError, old.lastErrorAt
	next.changes = old.changes // more than when it was asked, if ports came or went meanwhile
	for _, p := range s.ports {
		if p.unit != old {
			continue
		}
		if p.open != nil && p.reserve() {
			open = append(open, p)
		}
		p.unit = next
	}
	if next.prepared != nil {
		s.takeOver(next, next.prepared)
	}
	return open
}
