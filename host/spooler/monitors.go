package spooler

import (
	"context"
	"slices"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// StartMonitor takes a newly installed monitor into the spooler.
func (s *Spooler) StartMonitor(m catalog.Monitor) error {
	s.mu.Lock()
	ctx, stopping := s.runCtx, s.stopping
	_, exists := s.units[spool.Fold(m.Name)]
	s.mu.Unlock()
	switch {
	case ctx == nil || stopping:
		return spoolerr.New(spoolerr.Unavailable, 0, "spooler %s is not online", s.cfg.Name)
	case exists:
		return spoolerr.New(spoolerr.Exists, spoolerr.CodePrintMonitorAlreadyInstalled, "monitor %s runs already", spool.Quote(m.Name))
	}
	if s.needed(m.Name) || s.astray(nil) {
		s.startUnit(ctx, m)
	}
	s.event(eventlog.MonitorAdded, eventlog.Info, eventlog.Monitor, m.Name, "monitor "+spool.Quote(m.Name)+" was added: "+m.Path)
	return nil
}

// CheckMonitorUnused refuses if a printer uses a port of the monitor, or may use one: the
// ports of a monitor that has not run yet are not known.
func (s *Spooler) CheckMonitorUnused(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[spool.Fold(name)]
	if u != nil && u.changing {
		return spoolerr.New(spoolerr.Busy, 0, "monitor %s is being changed by somebody else; try again", spool.Quote(name))
	}
	unknown := u != nil && u.starts == 0
	for _, p := range s.ports {
		if p.unit == nil && unknown && len(p.printers) > 0 {
			return spoolerr.New(spoolerr.Busy, spoolerr.CodePrintMonitorInUse,
				"monitor %s has not run since the host started, and port %s of printer %s may be its own; give the printer another port or delete it first",
				spool.Quote(name), spool.Quote(p.name), printerNames(p))
		}
		if p.unit != nil && spool.Fold(p.unit.name) == spool.Fold(name) && len(p.printers) > 0 {
			return spoolerr.New(spoolerr.Busy, spoolerr.CodePrintMonitorInUse,
				"monitor %s is in use: port %s has printer %s; give the printer another port or delete it first",
				spool.Quote(name), spool.Quote(p.name), printerNames(p))
		}
	}
	return nil
}

// StopMonitor takes a monitor out of the spooler, with its ports and its registry keys.
func (s *Spooler) StopMonitor(ctx context.Context, name string) error {
	s.mu.Lock()
	u := s.units[spool.Fold(name)]
	s.mu.Unlock()
	if u == nil {
		return nil
	}
	if _, err := s.markReplacing(name); err != nil {
		return err
	}
	u.cancel()
	<-u.done
	s.mu.Lock()
	delete(s.units, spool.Fold(name))
	for _, p := range s.ports {
		if p.unit == u {
			p.unit, p.listed = nil, false
			s.forgetIfGone(p)
		}
	}
	s.mu.Unlock()
	err := s.hive.DeleteTree(ctx, `Monitors\`+u.name)
	if err != nil && spoolerr.KindOf(err) != spoolerr.NotFound {
		return err
	}
	s.event(eventlog.MonitorRemoved, eventlog.Info, eventlog.Monitor, u.name, "monitor "+spool.Quote(u.name)+" was removed")
	return nil
}

// RestartMonitor ends the monitor's process in order and starts another. A dormant one has
// none.
func (s *Spooler) RestartMonitor(name string) error {
	s.mu.Lock()
	u := s.units[spool.Fold(name)]
	s.mu.Unlock()
	switch {
	case u == nil && s.Dormant(name):
		return nil
	case u == nil:
		return s.noUnit(name)
	}
	u.super.Restart()
	return nil
}

func (s *Spooler) noUnit(name string) error {
	return spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPrintMonitor, "monitor %s is not part of spooler %s", spool.Quote(name), s.cfg.Name)
}

// ResumeMonitor starts a monitor at once that is quarantined or waits for its next start.
func (s *Spooler) ResumeMonitor(name string) error {
	s.mu.Lock()
	u := s.units[spool.Fold(name)]
	var state unitState
	if u != nil {
		state = u.state
	}
	s.mu.Unlock()
	switch {
	case u == nil && s.Dormant(name):
		return nil
	case u == nil:
		return s.noUnit(name)
	case state != unitQuarantined && state != unitBackoff:
		return spoolerr.New(spoolerr.Precondition, 0, "monitor %s is %s; there is nothing to resume", spool.Quote(u.name), state)
	}
	u.super.Restart()
	return nil
}

// runningUnit finds a monitor that runs; one that is just being started is waited for, and a
// dormant one is woken.
func (s *Spooler) runningUnit(ctx context.Context, name string) (*unit, error) {
	m, err := s.cfg.Catalog.Get(name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	u := s.units[spool.Fold(name)]
	s.mu.Unlock()
	if u == nil && !s.cfg.Local {
		u = s.wake(m)
	}
	if u == nil {
		return nil, spoolerr.New(spoolerr.Unavailable, 0, "monitor %s has not been started yet; try again", spool.Quote(name))
	}
	select {
	case <-u.first:
	case <-ctx.Done():
		return nil, spoolerr.Wrap(ctx.Err(), "monitor %s is still starting", spool.Quote(name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.instance == nil {
		return nil, u.notRunning()
	}
	return u, nil
}

// WaitStarted waits until every monitor that is needed has been started once or has failed
// to.
func (s *Spooler) WaitStarted(ctx context.Context) {
	select {
	case <-s.risen:
		s.waitTried(ctx)
	case <-ctx.Done():
	}
}

func (s *Spooler) waitTried(ctx context.Context) {
	select {
	case <-s.launched:
	case <-ctx.Done():
		return
	}
	s.mu.Lock()
	units := make([]*unit, 0, len(s.units))
	for _, u := range s.units {
		units = append(units, u)
	}
	s.mu.Unlock()
	for _, u := range units {
		select {
		case <-u.first:
		case <-u.done:
		case <-ctx.Done():
			return
		}
	}
}

func printerNames(p *port) string {
	var names []string
	for _, pr := range p.printers {
		names = append(names, spool.Quote(pr.Name))
	}
	slices.Sort(names)
	const most = 5
	if len(names) > most {
		names = append(names[:most], "others")
	}
	text := ""
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += n
	}
	if text == "" {
		return "a job"
	}
	return text
}
