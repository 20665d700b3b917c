package spooler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// lost is called when a monitor's process ended by itself. Documents in it end through
// their own failing calls.
func (s *Spooler) lost(u *unit, i *catalog.Instance) {
	err := i.Err()
	s.setFailure(u, err)
	s.forget(u, unitStarting, err.Error())
	s.event(eventlog.MonitorExited, eventlog.Warning, eventlog.Monitor, u.name,
		fmt.Sprintf("monitor %s: %s; it is started again", spool.Quote(u.name), err))
}

// forget drops everything that belonged to the incarnation.
func (s *Spooler) forget(u *unit, state unitState, reason string) {
	s.mu.Lock()
	inst := u.instance
	u.instance, u.state, u.reason = nil, state, reason
	for _, port := range s.ports {
		if port.unit == u && (!port.busy || port.holder == u) {
			port.open, port.status = nil, spool.PortStatus{}
		}
	}
	if inst != nil {
		u.tail = inst.Process.Tail()
	}
	s.mu.Unlock()
	if inst != nil {
		inst.Revoke()
	}
}

func (s *Spooler) unitWaits(u *unit, err error, delay time.Duration) {
	s.setFailure(u, err)
	s.setUnit(u, unitBackoff, err.Error())
	s.mu.Lock()
	u.nextAt = s.cfg.Now().Add(delay)
	s.mu.Unlock()
	id := eventlog.MonitorRestarting
	if !errors.Is(err, spoolerr.Exited) {
		id = eventlog.MonitorInitializeFailed
	}
	s.event(id, eventlog.Warning, eventlog.Monitor, u.name,
		fmt.Sprintf("monitor %s does not run: %s; next start in %v", spool.Quote(u.name), err, delay.Round(time.Millisecond)))
}

func (s *Spooler) unitQuarantined(u *unit, err error) {
	s.setFailure(u, err)
	s.setUnit(u, unitQuarantined, err.Error())
	if errors.Is(err, spoolerr.Unsupported) {
		s.event(eventlog.MonitorInitializeFailed, eventlog.Error, eventlog.Monitor, u.name,
			fmt.Sprintf("monitor %s is refused and not tried again: %s", spool.Quote(u.name), err))
		return
	}
	s.event(eventlog.MonitorQuarantined, eventlog.Error, eventlog.Monitor, u.name,
		fmt.Sprintf("monitor %s failed too often and is quarantined; its printers keep their jobs. The last failure: %s. "+
			"When the cause is gone: spoolhost monitor resume %s", spool.Quote(u.name), err, spool.Quote(u.name)))
}

// takeDown ends a running monitor in order: its documents finish or fail within the
// resource time-out, its ports are closed, its instance is shut down, its process ends.
func (s *Spooler) takeDown(u *unit, inst *catalog.Instance, reason string) {
	s.setUnit(u, unitStopping, reason)
	s.waitIdle(u)
	ctx := context.Background()
	s.mu.Lock()
	var open []*portmon.Port
	var names []string
	for _, port := range s.ports {
		if port.unit == u && port.open != nil && !port.busy { // else the unit that u replaced prints there
			open, names = append(open, port.open), append(names, port.name)
			port.open = nil
		}
	}
	s.mu.Unlock()
	err := s.shutDown(ctx, u, inst, names, open)
	s.forget(u, unitStopping, reason)
	if errors.Is(err, spoolerr.TimedOut) {
		inst.Abandon(reason+"; it did not answer", true)
	} else {
		inst.Stop(ctx, reason)
	}
}

// waitIdle waits until no port of the unit is in use, and stops what has not finished
// within the resource time-out. A unit that was replaced has no such limit until the
// spooler stops: its documents may take the time that the device needs.
func (s *Spooler) waitIdle(u *unit) {
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		u.working.Wait()
	}()
	if s.wasReplaced(u) {
		select {
		case <-idle:
			return
		case <-s.ending:
		}
	}
	limit := time.NewTimer(u.limits.Resource)
	defer limit.Stop()
	select {
	case <-idle:
		return
	case <-limit.C:
	}
	s.mu.Lock()
	for _, port := range s.ports {
		if port.holder == u && port.job != 0 {
			s.stopAttempt(port.job, errShutdown)
		}
	}
	s.mu.Unlock()
	<-idle // bounded: a stopped document ends within the grace, or its process is killed
}

func (s *Spooler) wasReplaced(u *unit) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return u.replaced
}

// shutDown makes the last calls to an instance. A module that does not answer one of
// them gets no more.
func (s *Spooler) shutDown(ctx context.Context, u *unit, inst *catalog.Instance, names []string, open []*portmon.Port) error {
	err := u.limited(ctx, func(ctx context.Context) error { return inst.NotifyUnusedPorts(ctx, names) })
	if inst.Has(monitor.CapClosesPorts) {
		open = nil // Shutdown does it
	}
	for _, port := range open {
		if errors.Is(err, spoolerr.TimedOut) {
			break
		}
		err = port.Close(ctx)
	}
	if !errors.Is(err, spoolerr.TimedOut) {
		err = u.limited(ctx, inst.Shutdown)
	}
	if err != nil {
		s.cfg.Logger.Warn("shutting a monitor down", "monitor", u.name, "pid", inst.Process.PID, "error", err)
	}
	return err
}
