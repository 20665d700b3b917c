package spooler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// AddPrinter makes a queue. Its driver may refuse it.
func (s *Spooler) AddPrinter(ctx context.Context, name string, set Settings) error {
	if err := spool.CheckName("printer", name); err != nil {
		return err
	}
	module, err := s.driverModule(ctx, set.Driver)
	if err = errors.Join(err, s.wakeFor(ctx, set.Ports)); err != nil {
		return spoolerr.Wrap(err, "printer %s was not added", spool.Quote(name))
	}
	if err := s.addPrinter(ctx, name, set, module != ""); err != nil {
		return err
	}
	if err := s.initializeDriver(ctx, name, module, set.By); err != nil {
		return spoolerr.Wrap(err, "printer %s was not added", spool.Quote(name))
	}
	s.noteAdded(name)
	return nil
}

func (s *Spooler) noteAdded(name string) {
	s.event(eventlog.PrinterAdded, eventlog.Info, eventlog.Printer, name, "printer "+spool.Quote(name)+" was added")
}

// addPrinter is AddPrinter for a name that has been checked. A printer whose driver is yet to
// be asked is initializing.
func (s *Spooler) addPrinter(ctx context.Context, name string, set Settings, initializing bool) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	r, err := newRecord(name, s.cfg.Now()).apply(set)
	if err != nil {
		return err
	}
	if _, err := s.findPrinter(name); err == nil {
		return spoolerr.New(spoolerr.Exists, spoolerr.CodePrinterAlreadyExists,
			"printer %s exists already; choose another name, or change it with spoolhost printer set", spool.Quote(name))
	}
	if err := s.checkPorts(r.Ports); err != nil {
		return spoolerr.Wrap(err, "printer %s was not added", spool.Quote(name))
	}
	if err := s.storeNew(ctx, r); err != nil {
		return err
	}
	s.mu.Lock()
	s.adopt(&printer{record: r, initializing: initializing})
	s.refreshPorts(r.Ports)
	s.mu.Unlock()
	return nil
}

// storeNew writes a new record. A key without values, which a crash in between leaves, is
// no printer: nobody was told that it exists.
func (s *Spooler) storeNew(ctx context.Context, r record) error {
	if _, err := s.hive.CreateKey(ctx, printerKey(r.Name)); err != nil {
		return err
	}
	return s.hive.SetValues(ctx, printerKey(r.Name), r.changed(newRecord(r.Name, time.Time{}))...)
}

// checkPorts refuses ports that no monitor lists and no printer has.
func (s *Spooler) checkPorts(names []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		p := s.ports[spool.Fold(name)]
		if p == nil || p.unit == nil {
			return unknownPort(name)
		}
	}
	return nil
}

// UpdatePrinter changes the settings that are not nil.
func (s *Spooler) UpdatePrinter(ctx context.Context, name string, set Settings) error {
	if set.Ports != nil {
		if err := ownedByConnection(name, "refresh --server"); err != nil {
			return err
		}
	}
	module, err := s.driverModule(ctx, set.Driver)
	if err = errors.Join(err, s.wakeFor(ctx, set.Ports)); err != nil {
		return spoolerr.Wrap(err, "printer %s was not changed", spool.Quote(name))
	}
	var before, after uint32
	err = s.changePrinter(ctx, name, func(r record) (record, error) {
		if set.Ports != nil {
			if err := s.checkPorts(set.Ports); err != nil {
				return r, err
			}
		}
		before = r.attributes()
		r, err := r.apply(set)
		after = r.attributes()
		return r, err
	}, eventlog.PrinterChanged, "was changed")
	if err != nil {
		return err
	}
	if module != "" {
		s.tellDriver(ctx, name, module, driver.PrinterEvent{Event: driver.Initialize, User: set.By})
	}
	if before != after {
		s.tellDriver(ctx, name, s.moduleOf(ctx, name), driver.PrinterEvent{Event: driver.AttributesChanged, Attributes: &driver.AttributesInfo{Old: before, New: after}})
	}
	return nil
}

// PausePrinter starts no new documents; one that prints goes on.
func (s *Spooler) PausePrinter(ctx context.Context, name string) error {
	return s.changePrinter(ctx, name, func(r record) (record, error) {
		r.Paused = true
		return r, nil
	}, eventlog.PrinterPaused, "was paused")
}

// ResumePrinter undoes PausePrinter.
func (s *Spooler) ResumePrinter(ctx context.Context, name string) error {
	return s.changePrinter(ctx, name, func(r record) (record, error) {
		r.Paused, r.Message = false, ""
		return r, nil
	}, eventlog.PrinterResumed, "was resumed")
}

func (s *Spooler) changePrinter(ctx context.Context, name string, change func(record) (record, error), id eventlog.ID, what string) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	p, err := s.findPrinter(name)
	if err != nil {
		return err
	}
	before := s.recordOf(p)
	next, err := change(before)
	if err != nil {
		return err
	}
	next.ChangeID = nextChangeID(before.ChangeID)
	if err := s.hive.SetValues(ctx, printerKey(p.Name), next.changed(before)...); err != nil {
		return err
	}
	s.mu.Lock()
	for _, old := range before.Ports {
		s.port(old).leave(p.Name)
	}
	next.Changed = s.cfg.Now()
	p.record = next
	p.wake()
	s.adopt(p)
	s.refreshPorts(append(before.Ports, next.Ports...))
	s.mu.Unlock()
	s.event(id, eventlog.Info, eventlog.Printer, p.Name, fmt.Sprintf("printer %s %s", spool.Quote(p.Name), what))
	return nil
}

// DeletePrinter removes a queue that has no jobs. Its modules are told afterwards.
func (s *Spooler) DeletePrinter(ctx context.Context, name string) error {
	if err := ownedByConnection(name, "delete"); err != nil {
		return err
	}
	last, err := s.remember(ctx, name)
	if err != nil {
		return err
	}
	if err := s.deletePrinter(ctx, name); err != nil {
		return err
	}
	s.tellDeleted(last)
	return nil
}

func (s *Spooler) deletePrinter(ctx context.Context, name string) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	p, err := s.findPrinter(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if jobs := s.cfg.Queue.Count(p.Name) + s.cfg.Queue.Coming(p.Name) + p.submitting; jobs > 0 {
		s.mu.Unlock()
		return spoolerr.New(spoolerr.Precondition, spoolerr.CodePrinterHasJobsQueued,
			"printer %s has %d unfinished jobs; purge it first, or wait until they are printed", spool.Quote(p.Name), jobs)
	}
	delete(s.printers, spool.Fold(p.Name)) // from here on nobody can submit to it
	ports := p.Ports
	for _, port := range ports {
		s.port(port).leave(p.Name)
	}
	s.mu.Unlock()
	err = s.hive.DeleteTree(ctx, printerKey(p.Name))
	s.mu.Lock()
	if err != nil {
		s.adopt(p)
	}
	p.wake()
	s.refreshPorts(ports)
	s.mu.Unlock()
	if err == nil {
		s.cfg.Watcher.Gone(p.Name)
		s.event(eventlog.PrinterDeleted, eventlog.Info, eventlog.Printer, p.Name, "printer "+spool.Quote(p.Name)+" was deleted")
	}
	return err
}

// PurgePrinter cancels every unfinished job of a printer and says how many.
func (s *Spooler) PurgePrinter(ctx context.Context, name, by string) (int, error) {
	p, err := s.findPrinter(name)
	if err != nil {
		return 0, err
	}
	jobs, err := s.Unfinished(ctx, p.Name)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, j := range jobs {
		err := s.CancelJob(ctx, j.ID, by)
		switch spoolerr.KindOf(err) {
		case spoolerr.Precondition, spoolerr.NotFound: // it has ended meanwhile
			continue
		}
		if err != nil {
			return n, err
		}
		n++
	}
	s.event(eventlog.PrinterPurged, eventlog.Info, eventlog.Printer, p.Name,
		fmt.Sprintf("printer %s was purged by %s: %d jobs cancelled", spool.Quote(p.Name), by, n))
	return n, nil
}

// Unfinished gives the jobs that CancelJob can cancel, of one printer or, if it is empty, of
// all: those that have not finished here, and those that have not where they were sent.
func (s *Spooler) Unfinished(ctx context.Context, printer string) ([]*job.Job, error) {
	jobs := s.cfg.Queue.Active(printer)
	sent, err := s.Away(ctx)
	for _, j := range sent {
		if j.State == job.Printed && (printer == "" || spool.Fold(j.Printer) == spool.Fold(printer)) {
			jobs = append(jobs, j)
		}
	}
	return jobs, err
}

func (s *Spooler) findPrinter(name string) (*printer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.printers[spool.Fold(name)]; p != nil {
		return p, nil
	}
	return nil, unknownPrinter(name)
}

func (s *Spooler) recordOf(p *printer) record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.record
}
