package spooler

import (
	"context"
	"io"

	"github.com/spoolhost/spoolhost/host/eventlog"
	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The attributes of a printer that a driver is told of (winspool.h PRINTER_ATTRIBUTE_*).
const (
	attributeQueued      = 0x1
	attributeLocal       = 0x40
	attributeShared      = 0x8
	attributeKeepPrinted = 0x100
)

func (r record) attributes() uint32 {
	a := uint32(attributeQueued | attributeLocal | attributeShared)
	if r.Rules.KeepPrinted {
		a |= attributeKeepPrinted
	}
	return a
}

// driverModule gives the event module of an installed driver; empty if there is none.
func (s *Spooler) driverModule(ctx context.Context, name *string) (module string, err error) {
	if name == nil || *name == "" {
		return "", nil
	}
	if s.cfg.Share == nil {
		return "", share.UnknownDriver(*name)
	}
	drivers, err := s.cfg.Share.Drivers(ctx, *name, "")
	if err != nil {
		return "", err
	}
	if len(drivers) == 0 {
		return "", share.UnknownDriver(*name)
	}
	for _, d := range drivers {
		if d.Module != "" {
			return d.Module, nil
		}
	}
	return "", nil
}

// moduleOf gives the event module of a printer's driver.
func (s *Spooler) moduleOf(ctx context.Context, printer string) string {
	p, err := s.findPrinter(printer)
	if err != nil {
		return ""
	}
	r := s.recordOf(p)
	module, _ := s.driverModule(ctx, &r.Driver)
	return module
}

// initializeDriver is PRINTER_EVENT_INITIALIZE of a printer that was just made. A driver
// that returns FALSE, or cannot be asked, has it taken away again.
func (s *Spooler) initializeDriver(ctx context.Context, printer, module, by string) error {
	if module == "" {
		return nil
	}
	err := s.drvPrinterEvent(ctx, module, driver.PrinterEvent{
		PrinterName: printer, Event: driver.Initialize, User: by, Printer: &lent{spooler: s, printer: printer},
	})
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p := s.printers[spool.Fold(printer)]; p != nil {
			p.initializing = false
		}
		return nil
	}
	if gone := s.deletePrinter(context.WithoutCancel(ctx), printer); gone != nil {
		return spoolerr.Wrap(err, "it could not be taken away again: %v", gone)
	}
	return err
}

func (s *Spooler) drvPrinterEvent(ctx context.Context, module string, e driver.PrinterEvent) error {
	if s.loader == nil {
		return spoolerr.New(spoolerr.NotFound, spoolerr.CodeModNotFound, "there are no modules on this host")
	}
	e.Flags = driver.NoUI
	return s.loader.DrvPrinterEvent(ctx, module, e)
}

// tellDriver calls DrvPrinterEvent of a printer's driver; what it answers is noted only.
func (s *Spooler) tellDriver(ctx context.Context, printer, module string, e driver.PrinterEvent) {
	if module == "" {
		return
	}
	e.PrinterName = printer
	if e.Printer == nil {
		e.Printer = &lent{spooler: s, printer: printer}
	}
	if err := s.drvPrinterEvent(ctx, module, e); err != nil {
		s.event(eventlog.DriverEvent, eventlog.Warning, eventlog.Printer, printer, "printer "+spool.Quote(printer)+": "+e.Event.String()+": "+err.Error())
	}
}

// memory is what modules see of a printer that was deleted: its data as it was.
type memory struct {
	spooler *Spooler
	printer string
	driver  string            // the event module of its driver
	modules map[string]string // the Modules of its CopyFiles keys
	keys    map[string][]registry.Value
}

// remember reads what the modules of a printer may want to know when it is gone; nil if it
// has none.
func (s *Spooler) remember(ctx context.Context, printer string) (*memory, error) {
	d, err := s.data(printer)
	if err != nil {
		return nil, err
	}
	m := &memory{
		spooler: s, printer: d.Printer, driver: s.moduleOf(ctx, printer), modules: copyFilesModules(ctx, d), keys: make(map[string][]registry.Value),
	}
	if s.loader == nil || m.driver == "" && len(m.modules) == 0 {
		return nil, nil
	}
	return m, s.hive.Walk(ctx, d.Root, func(e hostregistry.Entry) error {
		if len(e.Path) > len(d.Root) {
			m.keys[spool.Fold(e.Path[len(d.Root)+1:])] = e.Values
		}
		return nil
	})
}

// tellDeleted calls SpoolerCopyFileEvent(DELETE_PRINTER) and DrvPrinterEvent(DELETE), both
// after DeletePrinter as the reference pages have it, and both on the server, whose printer
// it was.
func (s *Spooler) tellDeleted(m *memory) {
	if m == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.goBackground(func(ctx context.Context) {
		for key, module := range m.modules {
			s.tellCopyFiles(ctx, module, pointprint.CopyFileEvent{PrinterName: m.printer, Key: key, Event: pointprint.DeletePrinter, Printer: m})
		}
		s.tellDriver(ctx, m.printer, m.driver, driver.PrinterEvent{Event: driver.Delete, Printer: m})
	})
}

var _ printerdata.Printer = (*memory)(nil)

func (m *memory) GetPrinterDataEx(ctx context.Context, key, value string) (registry.Value, error) {
	list, err := m.EnumPrinterDataEx(ctx, key)
	for _, v := range list {
		if spool.Fold(v.Name) == spool.Fold(value) {
			return v, nil
		}
	}
	if err == nil {
		err = spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "printer %s had no value %s in key %s", spool.Quote(m.printer), spool.Quote(value), spool.Quote(key))
	}
	return registry.Value{}, err
}

func (m *memory) EnumPrinterDataEx(_ context.Context, key string) ([]registry.Value, error) {
	list, ok := m.keys[spool.Fold(key)]
	if !ok {
		return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "printer %s had no key %s", spool.Quote(m.printer), spool.Quote(key))
	}
	return list, nil
}

func (m *memory) SetPrinterDataEx(context.Context, string, registry.Value) error {
	return spoolerr.New(spoolerr.NotFound, spoolerr.CodePrinterDeleted, "printer %s was deleted", spool.Quote(m.printer))
}

func (m *memory) OpenFile(ctx context.Context, key, name string) (*io.SectionReader, error) {
	values, err := m.EnumPrinterDataEx(ctx, key)
	if err != nil {
		return nil, err
	}
	return openListed(ctx, m.spooler, key, values, name)
}
