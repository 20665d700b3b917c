package spooler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// portsKey holds a value for each port of which an operator said something.
const portsKey = "Ports"

// PortLimits changes the deadlines of one port. What is nil stays; 0 is the monitor's.
type PortLimits struct {
	Call, Resource, Grace *time.Duration
}

func (l PortLimits) over(base portmon.Limits) (portmon.Limits, error) {
	for _, f := range []struct {
		name string
		from *time.Duration
		to   *time.Duration
	}{{"call_timeout", l.Call, &base.Call}, {"resource_timeout", l.Resource, &base.Resource}, {"kill_grace", l.Grace, &base.Grace}} {
		if f.from == nil {
			continue
		}
		if *f.from < 0 {
			return base, spoolerr.New(spoolerr.Invalid, 0, "%s %v is negative; use a positive duration, or 0 for the monitor's", f.name, *f.from)
		}
		*f.to = *f.from
	}
	return base, nil
}

// SetPortLimits changes the deadlines of a port. They hold from its next opening; a port
// that prints nothing is opened anew at once.
func (s *Spooler) SetPortLimits(ctx context.Context, name string, set PortLimits) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	key := spool.Fold(name)
	s.mu.Lock()
	p, before := s.ports[key], s.portLimits[key]
	s.mu.Unlock()
	if p == nil {
		return unknownPort(name)
	}
	limits, err := set.over(before)
	if err != nil {
		return spoolerr.Wrap(err, "port %s was not changed", spool.Quote(name))
	}
	if err := s.storePortLimits(ctx, key, limits); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.stale = p.open != nil
	if p.stale && p.reserve() {
		s.goBackground(func(ctx context.Context) {
			s.release(ctx, p)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.refreshPorts([]string{p.name})
		})
	}
	return nil
}

// forgetPortLimits is for a port that was deleted.
func (s *Spooler) forgetPortLimits(ctx context.Context, name string) {
	if err := s.storePortLimits(ctx, spool.Fold(name), portmon.Limits{}); err != nil {
		s.cfg.Logger.Warn("cannot forget the deadlines of a deleted port", "port", name, "error", err)
	}
}

// storePortLimits writes the limits of a port, or nothing if they are all the monitor's.
func (s *Spooler) storePortLimits(ctx context.Context, key string, l portmon.Limits) error {
	var err error
	if l == (portmon.Limits{}) {
		err = s.hive.DeleteValue(ctx, portsKey, key)
		if errors.Is(err, spoolerr.NotFound) {
			err = nil
		}
	} else {
		var data []byte
		if data, err = json.Marshal(l); err != nil {
			return spoolerr.As(err, spoolerr.Internal, "deadlines of port %s", key)
		}
		if _, err = s.hive.CreateKey(ctx, portsKey); err == nil {
			err = s.hive.SetValues(ctx, portsKey, registry.Bytes(key, data))
		}
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l == (portmon.Limits{}) {
		delete(s.portLimits, key)
	} else {
		s.portLimits[key] = l
	}
	return nil
}

// loadPortLimits reads what operators said of ports.
func (s *Spooler) loadPortLimits(ctx context.Context) error {
	values, err := s.hive.Values(ctx, portsKey)
	if errors.Is(err, spoolerr.NotFound) {
		return nil
	}
	for _, v := range values {
		var l portmon.Limits
		if err := json.Unmarshal(v.Data, &l); err != nil {
			s.cfg.Logger.Warn("the deadlines of a port cannot be read; it has its monitor's", "port", v.Name, "error", err)
			continue
		}
		s.portLimits[v.Name] = l
	}
	return err
}

// limitsFor gives the deadlines of a port in a unit; s.mu is held.
func (s *Spooler) limitsFor(p *port, u *unit) portmon.Limits {
	l := s.portLimits[spool.Fold(p.name)]
	return portmon.Limits{
		Call:     cmp.Or(l.Call, u.limits.Call),
		Resource: cmp.Or(l.Resource, u.limits.Resource),
		Grace:    cmp.Or(l.Grace, u.limits.Grace),
	}
}
