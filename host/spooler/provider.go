package spooler

import (
	"context"
	"fmt"
	"strings"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/loader"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Provider is a print provider: its ports, made in the host itself, lead to printers of
// other hosts. A port is named as its printer, \\SERVER\PRINTER.
type Provider interface {
	// OpenPort opens a port. Its EndDoc calls sent when the document is durable there.
	OpenPort(ctx context.Context, name string) (monitor.Port, error)
	// Cancel ends what a job has become on other hosts.
	Cancel(ctx context.Context, j *job.Job) error
}

// Provide gives the spooler its print provider, before Run.
func (s *Spooler) Provide(name string, p Provider) {
	u := &unit{
		name: name, limits: s.cfg.Limits, provider: p, state: unitStarting,
		done: make(chan struct{}), first: make(chan struct{}), cancel: func() {},
	}
	close(u.first)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.provider = u
	for _, pr := range s.printers {
		if isConnection(pr.Name) {
			s.provided(pr.Name)
		}
	}
}

// provided lists the port of a connection; s.mu is held.
func (s *Spooler) provided(name string) {
	p := s.port(name)
	p.info, p.unit, p.listed = spool.PortInfo{Name: name, Type: spool.PortTypeWrite | spool.PortTypeNetAttached}, s.provider, true
}

// Share gives PRINT$ of the spooler; nil if it has none.
func (s *Spooler) Share() *share.Share { return s.cfg.Share }

// Modules gives the spooler's Point and Print modules and drivers.
func (s *Spooler) Modules() *loader.Loader { return s.loader }

// startProvider brings the ports of connections online.
func (s *Spooler) startProvider() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provider == nil {
		return
	}
	s.provider.state = unitRunning
	var names []string
	for _, p := range s.ports {
		if p.unit == s.provider {
			names = append(names, p.name)
		}
	}
	s.refreshPorts(names)
}

// stopProvider waits for the documents on their way to other hosts, no longer than the
// resource time-out, and closes the ports.
func (s *Spooler) stopProvider(ctx context.Context) {
	s.mu.Lock()
	u := s.provider
	s.mu.Unlock()
	if u == nil {
		return
	}
	s.setUnit(u, unitStopping, "the spooler is stopping")
	s.waitIdle(u)
	s.mu.Lock()
	var open []*portmon.Port
	for _, p := range s.ports {
		if p.unit == u && p.open != nil {
			open = append(open, p.open)
			p.open = nil
		}
	}
	s.mu.Unlock()
	for _, p := range open {
		_ = p.Close(ctx)
	}
	s.setUnit(u, unitStopped, "")
}

// isConnection says that a printer is one of another host.
func isConnection(name string) bool { return strings.HasPrefix(name, `\\`) }

// Connect makes the printer of a connection, or finds it. Its jobs are tried until the
// server has them: each is one job there, however often it is sent.
func (s *Spooler) Connect(ctx context.Context, name string) error {
	if !isConnection(name) {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPrinterName, `%s is not the printer of a server`, spool.Quote(name))
	}
	s.mu.Lock()
	if s.provider == nil {
		s.mu.Unlock()
		return spoolerr.New(spoolerr.Unsupported, 0, "spooler %s has no connections to other hosts", spool.Quote(s.cfg.Name))
	}
	exists := s.lookup(name) != nil
	s.provided(name)
	s.mu.Unlock()
	if exists {
		return nil
	}
	unlimited := uint32(0)
	if err := s.addPrinter(ctx, name, Settings{Ports: []string{name}, MaxAttempts: &unlimited}, false); err != nil {
		return err
	}
	s.noteAdded(name)
	return nil
}

// Disconnect deletes the printer of a connection; one that has jobs is refused.
func (s *Spooler) Disconnect(ctx context.Context, name string) error {
	s.mu.Lock()
	exists := s.lookup(name) != nil
	s.mu.Unlock()
	if exists {
		if err := s.deletePrinter(ctx, name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	var open *portmon.Port
	if p := s.ports[spool.Fold(name)]; p != nil {
		p.listed = false
		if !p.busy { // else whoever has reserved it closes it
			open, p.open = p.open, nil
		}
		s.forgetIfGone(p)
	}
	s.mu.Unlock()
	if open != nil {
		_ = open.Close(ctx) // it ends a link; there is nothing to lose
	}
	return nil
}

// ownedByConnection refuses operations on the printer of a connection that are the
// connection's.
func ownedByConnection(name, instead string) error {
	if !isConnection(name) {
		return nil
	}
	return spoolerr.New(spoolerr.Precondition, 0, "printer %s is a connection; use spoolhost connection %s", spool.Quote(name), instead)
}

// Outgoing describes the document of a job that prints at a connection's port. Its key is
// another after a restart of a job that had finished, and not before: what was sent and not
// answered is the same document still.
func (s *Spooler) Outgoing(ctx context.Context, id uint64) (client.Document, error) {
	j, err := s.cfg.Queue.Get(ctx, id)
	if err != nil {
		return client.Document{}, err
	}
	return client.Document{
		Title: j.Title, User: j.User, Priority: j.Priority,
		Key: fmt.Sprintf("%s/%d/%d/%d/%d", s.cfg.Name, j.ID, j.Restarts, j.CopiesDone, j.At),
	}, nil
}

var _ client.Jobs = (*Spooler)(nil)
var _ client.Printers = (*Spooler)(nil)

// Forwarded records which job a document has become on another host, and that it is there;
// or, without an id, that it may be.
func (s *Spooler) Forwarded(ctx context.Context, id uint64, to job.Forward) error {
	if _, err := s.cfg.Queue.SetForwarded(ctx, id, to); err != nil {
		return err
	}
	j, err := s.cfg.Queue.Get(ctx, id)
	if err != nil {
		return err
	}
	if to.ID == 0 {
		return nil
	}
	s.jobEvent(eventlog.JobForwarded, eventlog.Info, j, fmt.Sprintf("forwarded: it is job %d of %s", to.ID, to.Printer), to.Printer)
	return (&callbacks{spooler: s, unit: s.provider}).SetJob(ctx, id, spool.JobControlSentToPrinter)
}

// Stands records how a forwarded document stands on the other host.
func (s *Spooler) Stands(ctx context.Context, id uint64, f job.Forward) error {
	j, err := s.cfg.Queue.SetForwarded(ctx, id, f)
	if err == nil && f.Over {
		severity, state := eventlog.Info, string(f.State)
		if f.State != job.Printed && f.State != job.Cancelled {
			severity = eventlog.Warning
		}
		if !f.State.Final() {
			state = "followed no more"
		}
		s.jobEvent(eventlog.JobForwardEnded, severity, j,
			strings.TrimSuffix(fmt.Sprintf("%s at %s, where it is job %d: %s", state, f.Printer, f.ID, f.Reason), ": "), f.Printer)
	}
	return err
}

// Away gives the jobs with documents on other hosts.
func (s *Spooler) Away(ctx context.Context) ([]*job.Job, error) { return s.cfg.Queue.Away(ctx) }

// Job gives a job.
func (s *Spooler) Job(ctx context.Context, id uint64) (*job.Job, error) {
	return s.cfg.Queue.Get(ctx, id)
}

// cancelElsewhere cancels a job that is finished here and not where it was sent.
func (s *Spooler) cancelElsewhere(ctx context.Context, id uint64, by string) (elsewhere bool, err error) {
	s.mu.Lock()
	u := s.provider
	s.mu.Unlock()
	j, err := s.cfg.Queue.Get(ctx, id)
	if err != nil || u == nil || j.State != job.Printed || len(j.Forwarded) == 0 {
		return false, nil
	}
	if last := j.Forwarded[len(j.Forwarded)-1]; !j.Away() && last.State != "" {
		return true, spoolerr.New(spoolerr.Precondition, 0, "job %d is job %d of %s, which was %s there already", id, last.ID, last.Printer, last.State)
	}
	if err := u.provider.Cancel(ctx, j); err != nil {
		return true, err
	}
	s.jobEvent(eventlog.JobCancelled, eventlog.Info, j, "cancelled by "+by+", also where it was sent", "")
	return true, nil
}

// always is the process of what needs none: it never ends.
type always struct{}

func (always) End(string)                  {}
func (always) EndedByHost() (string, bool) { return "", false }
func (always) Done() <-chan struct{}       { return nil }

var _ portmon.Process = always{}

// opener gives what opens a unit's ports: its instance or its provider; nil if it does not run.
func (u *unit) opener(inst *catalog.Instance) (portmon.Opener, portmon.Process) {
	switch {
	case u.provider != nil:
		return u.provider, always{}
	case inst == nil:
		return nil, nil
	}
	return inst, inst.Process
}
