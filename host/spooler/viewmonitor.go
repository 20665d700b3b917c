package spooler

import (
	"time"

	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// MonitorView is a monitor as shown.
type MonitorView struct {
	State, Reason string
	Restarts      uint32
	// LastError is how its last failure was described, at LastErrorAt.
	LastError   string
	LastErrorAt time.Time
	// Process is nil if there is none. Handles are those open in it for this spooler.
	Process *supervisor.Process
	Handles int
	// Log is the end of its output, or of that of its last process.
	Log []supervisor.Line
}

// Monitor gives how a monitor stands in this spooler.
func (s *Spooler) Monitor(name string) (MonitorView, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[spool.Fold(name)]
	switch {
	case u == nil && !s.cfg.Local:
		return MonitorView{State: unitDormant, Reason: "nothing in spooler " + s.cfg.Name + " needs it; it is started when a port is added"}, false
	case u == nil:
		return MonitorView{State: string(unitStopped)}, false
	}
	v := MonitorView{
		State: string(u.state), Reason: u.reason, Restarts: max(u.starts, 1) - 1, Log: u.tail,
		LastError: u.lastError, LastErrorAt: u.lastErrorAt,
	}
	if u.instance != nil {
		v.Process, v.Handles = u.instance.Process, u.instance.OpenHandles()
		v.Log = v.Process.Tail()
	}
	return v, true
}
