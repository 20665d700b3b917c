package spooler

import (
	"context"
	"fmt"
	"time"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/xcv"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// XcvSession is an Xcv handle on a monitor of this spooler, or on one of its ports. It is
// valid as long as the incarnation of the monitor that it was opened with.
type XcvSession struct {
	*xcv.Session
	spooler *Spooler
	unit    *unit
	inst    *catalog.Instance
	object  string
}

// OpenXcv opens a configuration channel with the rights of whoever asks. An unknown
// monitor or port is ERROR_INVALID_NAME.
func (s *Spooler) OpenXcv(ctx context.Context, t xcv.Target, granted spool.Access) (*XcvSession, error) {
	if t.Port != "" {
		if err := s.wakeFor(ctx, []string{t.Port}); err != nil {
			return nil, err
		}
	}
	name, err := s.monitorOf(t)
	if err != nil {
		return nil, err
	}
	u, err := s.runningUnit(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.openXcv(ctx, u, t.Port, granted)
}

func (s *Spooler) openXcv(ctx context.Context, u *unit, object string, granted spool.Access) (*XcvSession, error) {
	inst := s.instanceOf(u)
	if inst == nil {
		return nil, u.notRunning()
	}
	session, err := xcv.Open(ctx, inst, u.limits.Call, object, granted)
	if err != nil {
		return nil, err
	}
	return &XcvSession{Session: session, spooler: s, unit: u, inst: inst, object: object}, nil
}

// monitorOf gives the name of the monitor that a handle goes to.
func (s *Spooler) monitorOf(t xcv.Target) (string, error) {
	if t.Port == "" {
		if _, err := s.cfg.Catalog.Get(t.Monitor); err != nil {
			return "", spoolerr.New(spoolerr.NotFound, spoolerr.CodeInvalidName,
				"monitor %s is not installed; see spoolhost monitor list", spool.Quote(t.Monitor))
		}
		return t.Monitor, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.ports[spool.Fold(t.Port)]
	if p == nil || !p.listed || p.unit == nil {
		return "", spoolerr.New(spoolerr.NotFound, spoolerr.CodeInvalidName,
			"port %s does not exist; see spoolhost port list", spool.Quote(t.Port))
	}
	return p.unit.name, nil
}

// Monitor is the name of the monitor that the handle goes to.
func (x *XcvSession) Monitor() string { return x.unit.name }

// Data carries out one command. What adds or deletes a port, the spooler notes.
func (x *XcvSession) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	if !x.valid() {
		return nil, spoolerr.New(spoolerr.BadHandle, 0,
			"the session is over: monitor %s was restarted, replaced or stopped since it was opened; open another", spool.Quote(x.unit.name))
	}
	switch {
	case !xcv.NeedsAdminister(name) || !x.Granted().Has(spool.ServerAccessAdminister):
		return x.Session.Data(ctx, name, in) // which refuses what is not granted
	case xcv.Is(name, portconfig.AddPort):
		return x.addPort(ctx, name, in)
	case xcv.Is(name, portconfig.DeletePort):
		return x.deletePort(ctx, name, in)
	}
	out, err := x.Session.Data(ctx, name, in)
	if err == nil {
		x.spooler.portConfigured(x.unit, in, x.object)
	}
	return out, err
}

// valid says that the incarnation that the handle belongs to still serves the monitor.
func (x *XcvSession) valid() bool {
	s := x.spooler
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.units[spool.Fold(x.unit.name)] == x.unit && x.unit.instance == x.inst
}

func (x *XcvSession) addPort(ctx context.Context, name string, in []byte) ([]byte, error) {
	port, err := xcv.PortName(in, x.object)
	if err == nil {
		err = spool.CheckPortName(port)
	}
	if err != nil {
		return nil, err
	}
	_, done, err := x.spooler.claimName(port, true)
	if err != nil {
		return nil, err
	}
	defer done()
	out, err := x.Session.Data(ctx, name, in)
	if err == nil {
		x.spooler.portAdded(x.unit, port)
		x.spooler.event(eventlog.PortAdded, eventlog.Info, eventlog.Port, port,
			fmt.Sprintf("port %s was added by monitor %s", spool.Quote(port), spool.Quote(x.unit.name)), eventlog.Relation(eventlog.Monitor, x.unit.name))
	}
	return out, err
}

func (x *XcvSession) deletePort(ctx context.Context, name string, in []byte) ([]byte, error) {
	port, err := xcv.PortName(in, x.object)
	if err != nil {
		return nil, err
	}
	owner, done, err := x.spooler.claimName(port, false)
	if err != nil {
		return nil, err
	}
	defer done()
	if spool.Fold(owner) != spool.Fold(x.unit.name) {
		return nil, spoolerr.New(spoolerr.Invalid, spoolerr.CodeUnknownPort, "port %s belongs to monitor %s, not to %s",
			spool.Quote(port), spool.Quote(owner), spool.Quote(x.unit.name))
	}
	out, err := x.Session.Data(ctx, name, in)
	if err == nil {
		x.spooler.portDeleted(x.unit, port)
		x.spooler.forgetPortLimits(ctx, port)
		x.spooler.event(eventlog.PortDeleted, eventlog.Info, eventlog.Port, port, "port "+spool.Quote(port)+" was deleted")
	}
	return out, err
}

// portConfigured asks for the ports again, whose descriptions may have changed, and tries
// a port that was given up for a while at once: what was wrong with it may be right now.
func (s *Spooler) portConfigured(u *unit, in []byte, object string) {
	name, err := xcv.PortName(in, object)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enumerateSoon(s.successor(u))
	if p := s.ports[spool.Fold(name)]; err == nil && p != nil {
		p.retryAt = time.Time{}
		s.dispatchPort(p)
	}
}
