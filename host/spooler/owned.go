package spooler

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// What a cluster spooler's owner asks of it, see package cluster.

// Suspend lets no document start, or lets them start again. What prints goes on.
func (s *Spooler) Suspend(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.suspended == on || s.killed {
		return
	}
	s.suspended = on
	if on {
		return
	}
	for _, p := range s.ports {
		s.dispatchPort(p)
	}
}

// Kill ends the processes of all monitors at once, and starts none again. When it returns
// they have been sent SIGKILL and are gone, or cannot be any more under way to a device
// than the kernel lets them. Run still has to be told to end.
func (s *Spooler) Kill(reason string) {
	s.mu.Lock()
	s.suspended, s.killed = true, true
	var running []*catalog.Instance
	for _, u := range s.units {
		u.cancel() // also of one that is being started
		if u.instance != nil {
			running = append(running, u.instance)
		}
	}
	s.mu.Unlock()
	for _, i := range running {
		i.Process.Kill(reason)
	}
	for _, i := range running {
		<-i.Process.Done()
	}
}

// guard tells of an instance's process, and of its end. Until then it has no open port.
func (s *Spooler) guard(i *catalog.Instance) {
	if s.cfg.Guarded == nil {
		return
	}
	s.cfg.Guarded(i.Process.PID, true)
	go func() { // it ends with the process
		<-i.Released()
		s.cfg.Guarded(i.Process.PID, false)
	}()
}

// Came is told of jobs that another node has taken for a printer.
func (s *Spooler) Came(printer string) { s.kick(printer) }

// Waits names the documents that the end of the spooler waits for, and for how long each
// has been printing; empty if there are none.
func (s *Spooler) Waits() string {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for id, a := range s.running {
		text := fmt.Sprintf("job %d at port %s", id, spool.Quote(a.port.name))
		if current := a.job.Current(); current != nil {
			text += fmt.Sprintf(" since %ds", int(now.Sub(current.Started).Seconds()))
		}
		if a.port.waiting != "" {
			text += " (" + a.port.waiting + ")"
		}
		list = append(list, text)
	}
	slices.Sort(list)
	const most = 5
	if n := len(list); n > most {
		list = append(list[:most], fmt.Sprintf("%d others", n-most))
	}
	return strings.Join(list, ", ")
}

// loadConfigured reads which monitors have settings in this spooler, and so are started; one
// of them that is not installed here is why ports are missing.
func (s *Spooler) loadConfigured(ctx context.Context) error {
	keys, err := s.hive.SubKeys(ctx, `Monitors`)
	if spoolerr.KindOf(err) == spoolerr.NotFound && err != nil {
		return nil
	}
	if err != nil {
		return err
	}
	for _, k := range keys {
		has, err := s.hive.HasValues(ctx, `Monitors\`+k.Name)
		if err != nil {
			return err
		}
		if has {
			s.configured = append(s.configured, k.Name)
		}
	}
	return nil
}

// absent names the monitors that have settings here and are not installed; s.mu is held.
func (s *Spooler) absent() []string {
	var names []string
	for _, name := range s.configured {
		if _, err := s.cfg.Catalog.Get(name); err != nil {
			names = append(names, spool.Quote(name))
		}
	}
	return names
}

// noMonitor says why no monitor has a port; s.mu is held.
func (s *Spooler) noMonitor() string {
	absent := s.absent()
	switch len(absent) {
	case 0:
		return "no monitor has this port; install its monitor or add the port again"
	case 1:
		return "monitor " + absent[0] + " is not installed on this node; install it with spoolhost monitor add, or with spoolhost module fetch if module list --cluster has it, or move the spooler to a node that has it"
	}
	return "its monitor is not installed on this node: one of " + strings.Join(absent, ", ") +
		"; install it with spoolhost monitor add, or with spoolhost module fetch if module list --cluster has it, or move the spooler to a node that has it"
}

// Intake gives a spooler that another node owns, or none: it takes jobs for one printer, and
// does nothing else. With an empty name it has no printer, and its jobs can be read.
// cfg.Queue must be made by job.Intake.
func Intake(ctx context.Context, cfg Config, printerName string) (*Spooler, error) {
	s := newSpooler(cfg)
	s.intake = true
	if printerName == "" {
		return s, nil
	}
	values, err := s.hive.Values(ctx, printerKey(printerName))
	if spoolerr.KindOf(err) == spoolerr.NotFound && err != nil || err == nil && len(values) == 0 {
		return nil, unknownPrinter(printerName)
	}
	if err != nil {
		return nil, err
	}
	s.adopt(&printer{record: parseRecord(printerName, values)})
	return s, nil
}
