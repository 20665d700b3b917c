package spooler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// port is a port that a monitor lists or a printer names. Its fields are guarded by the
// spooler's mutex; open, close and print happen under a reservation (busy).
type port struct {
	name     string // stays while busy: whoever has the reservation reads it without the mutex
	info     spool.PortInfo
	unit     *unit      // nil if no monitor has listed it yet
	listed   bool       // its monitor listed it when it was last asked
	printers []*printer // those that use it

	busy    bool
	holder  *unit  // whose reservation it is, while busy
	job     uint64 // the job being printed, 0 for none
	waiting string // what the device waits for, while a job prints
	open    *portmon.Port
	stale   bool             // to be closed when it is released, and opened anew
	status  spool.PortStatus // by the monitor's SetPort

	failures int
	trouble  string // the last failure, cleared by a success
	retryAt  time.Time
	timer    *time.Timer
}

// port finds a port, or makes one that is not listed; s.mu is held.
func (s *Spooler) port(name string) *port {
	key := spool.Fold(name)
	p := s.ports[key]
	if p == nil {
		p = &port{name: name}
		s.ports[key] = p
	}
	return p
}

// listedBy takes over what a monitor says of its port; the spooler's mutex is held.
func (p *port) listedBy(u *unit, info spool.PortInfo) {
	if !p.busy {
		p.name = info.Name // spelled otherwise perhaps
	}
	p.info, p.unit, p.listed = info, u, true
}

// use adds a printer to those that use the port.
func (p *port) use(pr *printer) {
	p.leave(pr.Name)
	p.printers = append(p.printers, pr)
}

// leave removes a printer from those that use the port.
func (p *port) leave(name string) {
	p.printers = slices.DeleteFunc(p.printers, func(pr *printer) bool { return spool.Fold(pr.Name) == spool.Fold(name) })
}

func unknownPort(name string) error {
	return spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPort,
		"port %s does not exist; see spoolhost port list, or add it with spoolhost port add", spool.Quote(name))
}

// usable says whether a job may start at p; s.mu is held.
func (s *Spooler) usable(p *port) bool {
	return !p.busy && p.listed && p.unit != nil && p.unit.ready() &&
		p.status.Severity != spool.SeverityError && !s.cfg.Now().Before(p.retryAt)
}

// reserve takes a port for the caller; s.mu is held.
func (p *port) reserve() bool {
	if p.busy {
		return false
	}
	p.busy, p.holder = true, p.unit
	p.holder.working.Add(1)
	return true
}

// free ends a reservation; s.mu is held.
func (p *port) free() {
	p.holder.working.Done()
	p.busy, p.holder, p.job, p.waiting = false, nil, 0, ""
}

// release gives a port back and looks for the next job. It closes a port that no printer
// uses any more, or that has got another monitor instance meanwhile.
func (s *Spooler) release(ctx context.Context, p *port) {
	s.mu.Lock()
	u := p.holder
	unused := p.open
	if len(p.printers) > 0 && p.unit == u && !p.stale {
		unused = nil
	}
	p.stale = false
	if unused != nil {
		p.open = nil
	}
	s.mu.Unlock()
	if unused != nil {
		s.detach(ctx, u, p.name, unused)
	}
	s.mu.Lock()
	p.free()
	s.forgetIfGone(p)
	s.dispatchPort(p)
	s.mu.Unlock()
}

func (s *Spooler) detach(ctx context.Context, u *unit, name string, open *portmon.Port) {
	if inst := s.instanceOf(u); inst != nil {
		_ = u.limited(ctx, func(ctx context.Context) error { return inst.NotifyUnusedPorts(ctx, []string{name}) })
	}
	if err := open.Close(ctx); err != nil && !errors.Is(err, spoolerr.Exited) {
		s.cfg.Logger.Warn("closing a port", "port", name, "error", err)
	}
}

// forgetIfGone drops a port that neither a monitor lists nor a printer names; s.mu is held.
func (s *Spooler) forgetIfGone(p *port) {
	if !p.listed && len(p.printers) == 0 && !p.busy {
		s.stopTimer(&p.timer)
		delete(s.ports, spool.Fold(p.name))
	}
}

// refreshPorts opens ports that got their first printer, closes those that lost their
// last one, and looks for jobs; s.mu is held.
func (s *Spooler) refreshPorts(names []string) {
	var wrong []*port
	for _, name := range names {
		p := s.ports[spool.Fold(name)]
		if p == nil {
			continue
		}
		s.dispatchPort(p) // a job opens its port itself
		if p.wrong() && s.usable(p) {
			wrong = append(wrong, p)
		}
		s.forgetIfGone(p)
	}
	s.putRight(wrong)
}

// wrong says that the port is closed though a printer uses it, or open though none does.
func (p *port) wrong() bool { return (p.open == nil) == (len(p.printers) > 0) }

// putRight opens and closes ports, a few at a time: a monitor may have ten thousand, and jobs
// print meanwhile. What waits for its turn is not reserved, so that its first job need not
// wait; s.mu is held.
func (s *Spooler) putRight(ports []*port) {
	const together, many = 4, 256
	var next atomic.Int64
	for range min(together, len(ports)) {
		s.goBackground(func(ctx context.Context) {
			for i := next.Add(1) - 1; i < int64(len(ports)); i = next.Add(1) - 1 {
				began := time.Now()
				s.putOneRight(ctx, ports[i])
				if len(ports) > many { // nobody waits for these, but for documents, and for ids of jobs
					s.pause(min(3*time.Since(began), 10*time.Millisecond))
				}
			}
		})
	}
}

func (s *Spooler) putOneRight(ctx context.Context, p *port) {
	if !s.reserveWrong(p) {
		return
	}
	if s.inUse(p) {
		_, _ = s.ensureOpen(ctx, p)
	}
	s.release(ctx, p)
}

func (s *Spooler) reserveWrong(p *port) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.stopping && p.wrong() && s.usable(p) && p.reserve()
}

func (s *Spooler) inUse(p *port) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(p.printers) > 0
}

// ensureOpen opens a reserved port if it is not open.
func (s *Spooler) ensureOpen(ctx context.Context, p *port) (*portmon.Port, error) {
	s.mu.Lock()
	u := p.holder
	open, inst, limits := p.open, u.instance, s.limitsFor(p, u)
	s.mu.Unlock()
	if open != nil {
		return open, nil
	}
	opener, proc := u.opener(inst)
	if opener == nil {
		return nil, spoolerr.New(spoolerr.Unavailable, 0, "port %s: its monitor %s is not running", spool.Quote(p.name), spool.Quote(u.name))
	}
	open, err := portmon.Open(ctx, opener, proc, p.name, limits)
	if err != nil {
		if !errors.Is(err, spoolerr.Exited) {
			s.portFailed(p, "it cannot be opened: "+err.Error())
			s.event(eventlog.PortOpenFailed, eventlog.Warning, eventlog.Port, p.name, about(p, "it cannot be opened: "+err.Error()),
				eventlog.Relation(eventlog.Monitor, u.name))
		}
		return nil, err
	}
	if inst != nil {
		if err := u.limited(ctx, func(ctx context.Context) error { return inst.NotifyUsedPorts(ctx, []string{p.name}) }); err != nil {
			s.cfg.Logger.Warn("NotifyUsedPorts", "port", p.name, "error", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.instance == inst {
		p.open = open
	}
	return open, nil
}

// Retrying a device: from firstRetry, doubling to maxRetry.
const (
	firstRetry = time.Second
	maxRetry   = time.Minute
)

// portFailed notes a failure of the device and when to try it again.
func (s *Spooler) portFailed(p *port, text string) {
	s.mu.Lock()
	first := p.failures == 0
	p.failures++
	delay := min(firstRetry<<min(p.failures-1, 16), maxRetry)
	delay += time.Duration(rand.Int64N(int64(delay) / 5))
	p.trouble, p.retryAt = text, s.cfg.Now().Add(delay)
	s.setTimer(&p.timer, delay, func() { s.dispatchPort(p) })
	s.mu.Unlock()
	if first {
		s.event(eventlog.PortOffline, eventlog.Warning, eventlog.Port, p.name,
			fmt.Sprintf("%s; it is tried again, at first after %v, then less often", about(p, text), delay.Round(time.Millisecond)))
	}
}

func (s *Spooler) portWorked(p *port) {
	s.mu.Lock()
	recovered := p.failures > 0
	p.failures, p.trouble, p.retryAt = 0, "", time.Time{}
	s.mu.Unlock()
	if recovered {
		s.event(eventlog.PortRecovered, eventlog.Info, eventlog.Port, p.name, "port "+spool.Quote(p.name)+" works again")
	}
}

// AddPort has a monitor add a port.
func (s *Spooler) AddPort(ctx context.Context, name, monitorName string, settings map[string]string) error {
	if err := spool.CheckPortName(name); err != nil {
		return err
	}
	u, err := s.runningUnit(ctx, monitorName)
	if err != nil {
		return err
	}
	err = s.xcv(ctx, u, "", portconfig.AddPort, portconfig.Encode(name, settings))
	return spoolerr.Wrap(err, "port %s was not added", spool.Quote(name))
}

// claimName keeps two callers from adding or deleting one port at once. For an addition
// the name must be free, among the ports of every monitor; for a deletion the monitor
// that has the port is given.
func (s *Spooler) claimName(name string, adding bool) (owner string, done func(), err error) {
	key := spool.Fold(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.ports[key]
	switch {
	case s.pending[key]:
		return "", nil, spoolerr.New(spoolerr.Busy, 0, "port %s is being added or deleted by somebody else; try again", spool.Quote(name))
	case adding && p != nil && p.listed:
		return "", nil, spoolerr.New(spoolerr.Exists, 0, "port %s exists already (monitor %s); choose another name, or delete it first",
			spool.Quote(name), spool.Quote(p.unit.name))
	case !adding && (p == nil || !p.listed):
		return "", nil, unknownPort(name)
	case !adding && (len(p.printers) > 0 || p.busy):
		return "", nil, spoolerr.New(spoolerr.Busy, 0, "port %s is used by %s; give its printers another port or delete them first",
			spool.Quote(name), printerNames(p))
	}
	if !adding {
		owner = p.unit.name
	}
	s.pending[key] = true
	return owner, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pending, key)
	}, nil
}

// DeletePort has the monitor delete a port that no printer uses.
func (s *Spooler) DeletePort(ctx context.Context, name string) error {
	owner, err := s.deletable(name)
	if err != nil {
		return err
	}
	u, err := s.runningUnit(ctx, owner)
	if err != nil {
		return err
	}
	err = s.xcv(ctx, u, name, portconfig.DeletePort, portconfig.Encode(name, nil))
	return spoolerr.Wrap(err, "port %s was not deleted", spool.Quote(name))
}

// deletable gives the monitor of a port that could be deleted just now.
func (s *Spooler) deletable(name string) (owner string, err error) {
	owner, done, err := s.claimName(name, false)
	if err != nil {
		return "", err
	}
	done()
	return owner, nil
}

// portAdded marks a port as added, as a spooler does when AddPort succeeds. Asking the
// monitor for all its ports each time would cost the square of their number; it is asked
// once things have calmed down, for what it says of them.
func (s *Spooler) portAdded(u *unit, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u = s.successor(u)
	u.changes++
	if p := s.port(name); p.unit == nil || !p.busy {
		p.listedBy(u, spool.PortInfo{Name: name, Type: spool.PortTypeWrite})
	}
	s.refreshPorts([]string{name})
	s.enumerateSoon(u)
}

func (s *Spooler) portDeleted(u *unit, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u = s.successor(u)
	u.changes++
	p := s.port(name)
	p.listed = false
	s.forgetIfGone(p)
	s.enumerateSoon(u)
}

// successor gives the unit that has u's name now; s.mu is held.
func (s *Spooler) successor(u *unit) *unit {
	if now := s.units[spool.Fold(u.name)]; now != nil {
		return now
	}
	return u
}

// xcv carries out one command with every right.
func (s *Spooler) xcv(ctx context.Context, u *unit, object, name string, in []byte) error {
	x, err := s.openXcv(ctx, u, object, spool.ServerAccessAdminister)
	if err != nil {
		return err
	}
	_, err = x.Data(ctx, name, in)
	// The command's own result matters more than that of the close.
	_ = x.Close(ctx)
	return err
}
