package spooler

import (
	"context"
	"slices"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// A cluster spooler starts the monitors that have settings in its registry, as every port
// that was added is such. The others are dormant: a hundred spoolers on three nodes would
// else be a hundred processes of each monitor. One is woken when it is named (a port is
// added, a channel opened), and all are when a printer has a port that no running monitor
// lists: some monitors have ports without settings.

// unitDormant is said of a monitor that has no unit.
const unitDormant = "dormant"

// needed says that a monitor runs from the beginning.
func (s *Spooler) needed(name string) bool {
	return s.cfg.Local || slices.ContainsFunc(s.configured, func(c string) bool { return spool.Fold(c) == spool.Fold(name) })
}

// Dormant says that a monitor which is installed is not started, because nothing needs it.
func (s *Spooler) Dormant(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cfg.Local && s.units[spool.Fold(name)] == nil
}

// wake starts a monitor, unless it runs; nil if the spooler is not online.
func (s *Spooler) wake(m catalog.Monitor) *unit {
	s.mu.Lock()
	ctx := s.runCtx
	s.mu.Unlock()
	if ctx == nil {
		return nil
	}
	return s.startUnit(ctx, m)
}

// wakeAll starts every monitor, and waits until each has been started once or has failed to.
func (s *Spooler) wakeAll(ctx context.Context) {
	for _, m := range s.cfg.Catalog.List() {
		s.wake(m)
	}
	s.waitTried(ctx)
}

// seek, once the spooler has started, wakes the dormant monitors if one of them may have a port that a printer has.
func (s *Spooler) seek(ctx context.Context) {
	defer close(s.risen)
	s.waitTried(ctx)
	if s.astray(nil) && ctx.Err() == nil {
		s.wakeAll(ctx)
	}
}

// astray says that no monitor lists one of these ports or, of nil, one of a printer's.
func (s *Spooler) astray(names []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Local {
		return false
	}
	for _, name := range names {
		if p := s.ports[spool.Fold(name)]; p == nil || p.unit == nil {
			return true
		}
	}
	if names != nil {
		return false
	}
	for _, p := range s.ports {
		if p.unit == nil && len(p.printers) > 0 {
			return true
		}
	}
	return false
}

// wakeFor wakes the dormant monitors if no other lists one of the ports.
func (s *Spooler) wakeFor(ctx context.Context, ports []string) error {
	if len(ports) > 0 && s.astray(ports) {
		s.wakeAll(ctx)
	}
	return spoolerr.Wrap(ctx.Err(), "the monitors of spooler %s are being asked for their ports", spool.Quote(s.cfg.Name))
}

// rising says that monitors are still being started, so that what is missing may yet
// come; s.mu is held.
func (s *Spooler) rising() bool {
	if s.runCtx == nil {
		return true
	}
	select {
	case <-s.risen:
	default:
		return true
	}
	for _, u := range s.units {
		if !u.tried() {
			return true
		}
	}
	return false
}

// whereRising says it in words; s.mu is held.
func (s *Spooler) whereRising() string {
	if s.cfg.Node == "" {
		return "its monitor is starting"
	}
	return "starting on " + s.cfg.Node
}
