package spooler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// unitState is how a monitor stands in this spooler.
type unitState string

const (
	unitStarting unitState = "starting"
	unitRunning  unitState = "running"
	unitBackoff  unitState = "backoff"
	// unitQuarantined: it failed too often and is not started again by itself.
	unitQuarantined unitState = "quarantined"
	unitStopping    unitState = "stopping"
	unitStopped     unitState = "stopped"
)

// unit is a monitor in this spooler: its process, its handle, and the supervisor that
// keeps both alive. Fields are guarded by the spooler's mutex.
type unit struct {
	name    string
	monitor catalog.Monitor
	// provider is set instead of super and instance: its ports are the host's own.
	provider Provider
	limits   portmon.Limits
	super    *supervisor.Supervisor[*catalog.Instance]
	life     context.Context
	cancel   context.CancelFunc
	done     chan struct{}
	first    chan struct{} // closed when the first start has succeeded or failed
	once     sync.Once
	// working counts reservations of the unit's ports: the unit is idle at zero. It grows
	// only while the state is running.
	working sync.WaitGroup

	// prepared is taken by the first start of a unit that was made by an upgrade; ahead by
	// that of one which was started before its spooler was online.
	prepared *prepared
	ahead    *ahead
	replaced bool // by an upgrade: another unit has its name
	changing bool // somebody replaces or removes it

	chatter, complaints chatter // events of the module's and of the host's making

	state    unitState
	reason   string
	nextAt   time.Time // of the next start, while it is in back-off
	instance *catalog.Instance
	starts   uint32
	changes  uint64            // ports added and deleted
	timer    *time.Timer       // for enumerateSoon
	listing  time.Duration     // how long it took to list its ports last
	tail     []supervisor.Line // of the last incarnation that ended

	lastError   string
	lastErrorAt time.Time
}

// limitsOf gives the deadlines of a monitor: the host's, but for what its operator chose.
func (s *Spooler) limitsOf(m catalog.Monitor) portmon.Limits {
	return portmon.Limits{
		Call:     cmp.Or(m.Options.CallTimeout, s.cfg.Limits.Call),
		Resource: cmp.Or(m.Options.ResourceTimeout, s.cfg.Limits.Resource),
		Grace:    cmp.Or(m.Options.KillGrace, s.cfg.Limits.Grace),
	}
}

// limited runs a control call under its deadline.
func (u *unit) limited(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, u.limits.Call)
	defer cancel()
	return call(ctx)
}

// ready says that the unit can be given work. A process that has ended, or that the host
// is ending, is not ready even before the supervisor has heard of it: an attempt begun
// with it would fail and count against its job.
func (u *unit) ready() bool {
	if u.provider != nil {
		return u.state == unitRunning
	}
	if u.state != unitRunning || u.instance == nil {
		return false
	}
	select {
	case <-u.instance.Process.Done():
		return false
	default:
	}
	_, ending := u.instance.Process.EndedByHost()
	return !ending
}

// tried says that the first start is over. A monitor that has failed it is a problem, and
// no longer a start that others wait for.
func (u *unit) tried() bool {
	select {
	case <-u.first:
		return true
	default:
		return false
	}
}

func (u *unit) notRunning() error {
	return spoolerr.New(spoolerr.Unavailable, 0, "monitor %s is not running (%s); see spoolhost why monitor %s", spool.Quote(u.name), u.state, spool.Quote(u.name))
}

// startUnit begins to keep a monitor running, and gives its unit: the one that has its name,
// if there is one. A spooler that ends starts none, and gives nil.
func (s *Spooler) startUnit(ctx context.Context, m catalog.Monitor) *unit {
	key := spool.Fold(m.Name)
	u := s.takeEarly(m)
	if u == nil {
		u = s.newUnit(ctx, m)
	}
	s.mu.Lock()
	have := s.units[key]
	start := have == nil && !s.stopping && !s.killed
	if start {
		s.units[key], have = u, u
	}
	s.mu.Unlock()
	if start {
		s.keep(u)
	} else {
		u.cancel()
		s.dismiss(u)
	}
	return have
}

func (s *Spooler) newUnit(ctx context.Context, m catalog.Monitor) *unit {
	u := &unit{
		name: m.Name, monitor: m, limits: s.limitsOf(m), state: unitStarting,
		done: make(chan struct{}), first: make(chan struct{}),
	}
	u.life, u.cancel = context.WithCancel(ctx)
	u.super = supervisor.New(supervisor.Config[*catalog.Instance]{
		Start:       func(ctx context.Context) (*catalog.Instance, error) { return s.bring(ctx, u) },
		Stop:        func(i *catalog.Instance, reason string) { s.takeDown(u, i, reason) },
		Ended:       func(i *catalog.Instance) { s.lost(u, i) },
		Waiting:     func(err error, delay time.Duration) { s.unitWaits(u, err, delay) },
		Quarantined: func(err error) { s.unitQuarantined(u, err) },
		Backoff:     supervisor.DefaultBackoff(), Now: s.cfg.Now,
	})
	return u
}

// keep runs a unit's supervisor until the unit is cancelled.
func (s *Spooler) keep(u *unit) {
	go func() {
		defer close(u.done)
		defer u.cancel()
		u.super.Run(u.life)
		s.mu.Lock()
		unstarted := u.prepared
		u.prepared = nil
		s.mu.Unlock()
		if unstarted != nil { // cancelled before the supervisor took it
			s.takeDown(u, unstarted.instance, "the spooler is stopping")
		}
		s.dismiss(u)
		s.setUnit(u, unitStopped, "")
	}()
}

// prepared is an instance that has listed its ports and is not in use yet.
type prepared struct {
	instance *catalog.Instance
	ports    []spool.PortInfo
	changes  uint64 // of the unit when it was asked for its ports
}

// bring launches a monitor and makes it ready: initialise, list the ports, open those
// that printers use. Each monitor takes these steps on its own, so that one that hangs
// delays no other.
func (s *Spooler) bring(ctx context.Context, u *unit) (*catalog.Instance, error) {
	defer u.once.Do(func() { close(u.first) })
	s.mu.Lock()
	ready := u.prepared
	u.prepared = nil
	s.mu.Unlock()
	if ready != nil {
		return ready.instance, nil // it was taken over when the units were exchanged
	}
	s.setUnit(u, unitStarting, "")
	ready, err := s.readied(u)
	if ready == nil && err == nil {
		ready, err = s.prepare(ctx, u)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.takeOver(u, ready)
	s.mu.Unlock()
	s.noteStart(u, ready)
	return ready.instance, nil
}

// prepare starts an instance and asks it for its ports.
func (s *Spooler) prepare(ctx context.Context, u *unit) (_ *prepared, retErr error) {
	inst, err := s.cfg.Catalog.Bind(ctx, u.monitor, catalog.For{
		Spooler: s.cfg.Name, Local: s.cfg.Local, Owned: s.owned,
		Root:      s.hive.Root(`Monitors\`+u.name, registry.Limit{Owner: u.name, Bytes: s.cfg.RegistryLimit, Writes: s.cfg.RegistryWrites}),
		Callbacks: &callbacks{spooler: s, unit: u},
		Log:       func(l supervisor.Line) { s.moduleSaid(u, l) },
		Complain:  func(text string) { s.moduleSaid(u, supervisor.Line{Level: "warn", Complaint: true, Text: text}) },
	})
	if err != nil {
		return nil, err
	}
	s.guard(inst)
	defer func() {
		if retErr != nil {
			inst.Abandon("its start failed", errors.Is(retErr, spoolerr.TimedOut))
		}
	}()
	s.mu.Lock()
	p := &prepared{instance: inst, changes: u.changes}
	s.mu.Unlock()
	err = u.limited(ctx, func(ctx context.Context) (err error) {
		p.ports, err = inst.EnumPorts(ctx)
		return err
	})
	if err != nil {
		return nil, spoolerr.Wrap(err, "EnumPorts of monitor %s failed", spool.Quote(u.name))
	}
	return p, nil
}

// takeOver puts an instance to work; s.mu is held.
func (s *Spooler) takeOver(u *unit, p *prepared) {
	u.instance, u.state, u.reason = p.instance, unitRunning, ""
	u.starts++
	if u.changes == p.changes {
		s.list(u, p.ports)
		return
	}
	s.enumerateSoon(u) // what it listed is out of date
	for _, port := range s.ports {
		if port.unit == u {
			s.dispatchPort(port)
		}
	}
}

func (s *Spooler) noteStart(u *unit, p *prepared) {
	s.event(eventlog.MonitorStarted, eventlog.Info, eventlog.Monitor, u.name,
		fmt.Sprintf("monitor %s is running as process %d, incarnation %d, with %d ports", spool.Quote(u.name),
			p.instance.Process.PID, p.instance.Process.Incarnation, len(p.ports)))
}

// list takes over what EnumPorts said, and opens what printers use; s.mu is held.
func (s *Spooler) list(u *unit, ports []spool.PortInfo) {
	for _, p := range s.ports {
		if p.unit == u {
			p.listed = false
		}
	}
	var names []string
	for _, info := range ports {
		p := s.port(info.Name)
		if p.unit != nil && p.unit != u && p.listed {
			s.cfg.Logger.Warn("two monitors list one port; the first keeps it", "port", info.Name, "first", p.unit.name, "second", u.name)
			continue
		}
		if p.busy && p.unit != u {
			continue // its old monitor is still letting go; the next listing finds it
		}
		p.listedBy(u, info)
		names = append(names, p.name)
	}
	for _, p := range s.ports {
		if p.unit == u {
			s.forgetIfGone(p)
		}
	}
	s.refreshPorts(names)
}

// enumerateSoon asks a monitor for its ports once no more are added or deleted, the later
// the longer its answer takes, since its ports cannot change meanwhile; s.mu is held.
func (s *Spooler) enumerateSoon(u *unit) {
	const calm, most = 100 * time.Millisecond, 10 * time.Second
	s.setTimer(&u.timer, min(max(calm, 10*u.listing), most), func() {
		s.goBackground(func(ctx context.Context) {
			if err := s.enumerate(ctx, u); err != nil {
				s.cfg.Logger.Warn("cannot list the ports of a monitor", "monitor", u.name, "error", err)
			}
		})
	})
}

// enumerate asks a monitor for its ports again. What it says is out of date if a port was
// added or deleted meanwhile; then another enumeration is on its way.
func (s *Spooler) enumerate(ctx context.Context, u *unit) error {
	s.mu.Lock()
	inst, changes, replaced := u.instance, u.changes, u.replaced
	s.mu.Unlock()
	if inst == nil || replaced {
		return nil // it is asked when it starts
	}
	return u.limited(ctx, func(ctx context.Context) error {
		began := time.Now()
		ports, err := inst.EnumPorts(ctx)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		u.listing = time.Since(began)
		if u.instance == inst && u.changes == changes && !u.replaced {
			s.list(u, ports)
		}
		return nil
	})
}

func (s *Spooler) instanceOf(u *unit) *catalog.Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return u.instance
}

func (s *Spooler) setUnit(u *unit, state unitState, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.state, u.reason = state, reason
}

func (s *Spooler) setFailure(u *unit, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.lastError, u.lastErrorAt = err.Error(), s.cfg.Now()
}
