package spooler

import (
	"context"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// defaultValue is the value of the printers' key that names the default printer.
const defaultValue = "DefaultPrinter"

func defaultOf(values []registry.Value) string {
	for _, v := range values {
		if name, err := v.Text(); err == nil && spool.Fold(v.Name) == spool.Fold(defaultValue) {
			return name
		}
	}
	return ""
}

// DefaultPrinter gives the printer for those who name none: the one that was made it, or
// the only one; empty if there is none.
func (s *Spooler) DefaultPrinter() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pr := s.lookup(s.standard); pr != nil {
		return pr.Name
	}
	if len(s.printers) == 1 {
		for _, pr := range s.printers {
			return pr.Name
		}
	}
	return ""
}

// SetDefaultPrinter makes a printer the default.
func (s *Spooler) SetDefaultPrinter(ctx context.Context, name string) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	p, err := s.findPrinter(name)
	if err != nil {
		return err
	}
	if err := s.hive.SetValues(ctx, printersKey, registry.String(defaultValue, p.Name)); err != nil {
		return err
	}
	s.mu.Lock()
	s.standard = p.Name
	s.mu.Unlock()
	s.event(eventlog.PrinterChanged, eventlog.Info, eventlog.Printer, p.Name, "printer "+spool.Quote(p.Name)+" is the default now")
	return nil
}
