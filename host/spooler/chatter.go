package spooler

import (
	"fmt"
	"sync"

	"golang.org/x/time/rate"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// chatter bounds the events that one monitor can cause at will: the event log is there for
// all. The zero value is ready for use.
type chatter struct {
	mu    sync.Mutex
	limit *rate.Limiter
	lost  int
}

// moduleEvent makes an event of what a module does as often as it likes, or counts it.
func (s *Spooler) moduleEvent(c *chatter, id eventlog.ID, severity eventlog.Severity, object, name, text string) {
	const perSecond, burst = 1, 60
	c.mu.Lock()
	if c.limit == nil {
		c.limit = rate.NewLimiter(perSecond, burst)
	}
	if !c.limit.AllowN(s.cfg.Now(), 1) {
		c.lost++
		c.mu.Unlock()
		return
	}
	lost := c.lost
	c.lost = 0
	c.mu.Unlock()
	if lost > 0 {
		text += fmt.Sprintf(" (and %d more events of its monitor that were too many to keep)", lost)
	}
	s.event(id, severity, object, name, text)
}

// moduleSaid passes a module's output on; warnings and errors become events, and so does
// what the host has to say of it.
func (s *Spooler) moduleSaid(u *unit, l supervisor.Line) {
	s.cfg.Logger.Debug("module output", "monitor", u.name, "level", l.Level, "text", l.Text)
	switch {
	case l.Complaint:
		s.moduleEvent(&u.complaints, eventlog.ModuleMisbehaves, eventlog.Warning, eventlog.Monitor, u.name,
			"module of monitor "+spool.Quote(u.name)+" misbehaves: "+l.Text)
	case l.Level == "warn":
		s.moduleEvent(&u.chatter, eventlog.ModuleLogLine, eventlog.Warning, eventlog.Monitor, u.name, "module of monitor "+spool.Quote(u.name)+" says: "+l.Text)
	case l.Level == "error":
		s.moduleEvent(&u.chatter, eventlog.ModuleLogLine, eventlog.Error, eventlog.Monitor, u.name, "module of monitor "+spool.Quote(u.name)+" says: "+l.Text)
	}
}
