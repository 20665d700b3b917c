package spooler

import (
	"context"
	"fmt"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// callbacks is what one monitor instance may tell the spooler. Everything in it comes
// from a module: it may only speak of its own ports and of the jobs being printed there.
type callbacks struct {
	spooler *Spooler
	unit    *unit
}

// SetJob takes the report that a document is with the device.
func (c *callbacks) SetJob(_ context.Context, jobID uint64, control spool.JobControl) error {
	s := c.spooler
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.running[jobID]; a != nil && a.port.holder == c.unit && a.port.open != nil {
		return a.port.open.Reported(jobID, control)
	}
	return spoolerr.New(spoolerr.Invalid, 0, "job %d is not being printed by monitor %s", jobID, spool.Quote(c.unit.name))
}

// SetPort takes a port's condition.
func (c *callbacks) SetPort(_ context.Context, name string, st spool.PortStatus) error {
	if st.Severity > spool.SeverityInfo {
		return spoolerr.New(spoolerr.Invalid, 0, "severity %d is unknown; use 1 (error), 2 (warning) or 3 (information)", st.Severity)
	}
	s := c.spooler
	s.mu.Lock()
	p := s.ports[spool.Fold(name)]
	if p == nil || p.unit != c.unit && p.holder != c.unit {
		s.mu.Unlock()
		return unknownPort(name)
	}
	name, changed := p.name, p.status != st
	p.status = st
	if changed {
		s.dispatchPort(p)
	}
	s.mu.Unlock()
	if changed {
		severity := eventlog.Info
		switch st.Severity {
		case spool.SeverityError:
			severity = eventlog.Error
		case spool.SeverityWarning:
			severity = eventlog.Warning
		}
		s.moduleEvent(&c.unit.chatter, eventlog.PortStatus, severity, eventlog.Port, name, fmt.Sprintf("port %s reports: %s", spool.Quote(name), st))
	}
	return nil
}
