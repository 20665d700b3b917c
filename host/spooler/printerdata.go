package spooler

import (
	"context"
	"errors"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	hostprinterdata "github.com/spoolhost/spoolhost/host/printerdata"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// firstChangeID differs from those of an earlier printer of the same name.
func firstChangeID(now time.Time) uint32 { return max(uint32(now.Unix()), 1) }

func nextChangeID(id uint32) uint32 { return max(id+1, 1) }

// wake tells those who watch the printer; the spooler's mutex is held.
func (p *printer) wake() {
	if p.watched != nil {
		close(p.watched)
		p.watched = nil
	}
}

// data gives a printer's data.
func (s *Spooler) data(name string) (hostprinterdata.Data, error) {
	p, err := s.findPrinter(name)
	if err != nil {
		return hostprinterdata.Data{}, err
	}
	return hostprinterdata.Data{Hive: s.hive, Printer: p.Name, Root: printerKey(p.Name)}, nil
}

// GetPrinterDataEx gives one value of a printer's data. ChangeID is there under the key
// PrinterDriverData.
func (s *Spooler) GetPrinterDataEx(ctx context.Context, printer, key, value string) (registry.Value, error) {
	d, err := s.data(printer)
	if err != nil {
		return registry.Value{}, err
	}
	if spool.Fold(key) == spool.Fold(printerdata.DriverData) && spool.Fold(value) == spool.Fold(printerdata.ChangeID) {
		id, err := s.ChangeID(printer)
		return registry.Uint32(printerdata.ChangeID, id), err
	}
	return d.Get(ctx, key, value)
}

// EnumPrinterKey gives the names of a key's direct subkeys, and the ChangeID from before
// they were read.
func (s *Spooler) EnumPrinterKey(ctx context.Context, printer, key string) (names []string, id uint32, err error) {
	d, err := s.data(printer)
	if err == nil {
		id, err = s.ChangeID(printer)
	}
	if err != nil {
		return nil, 0, err
	}
	names, err = d.Keys(ctx, key)
	return names, id, err
}

// SetPrinterDataEx stores a value. The modules of the printer's CopyFiles keys are told
// afterwards.
func (s *Spooler) SetPrinterDataEx(ctx context.Context, printer, key string, v registry.Value, by string) (uint32, error) {
	id, err := s.changeData(printer, func(d hostprinterdata.Data, id uint32) error { return d.Set(ctx, key, v, id) })
	return s.dataChanged(printer, id, err, "value "+spool.Quote(v.Name)+" of key "+spool.Quote(key)+" was set by "+by)
}

// DeletePrinterDataEx removes a value.
func (s *Spooler) DeletePrinterDataEx(ctx context.Context, printer, key, value, by string) (uint32, error) {
	id, err := s.changeData(printer, func(d hostprinterdata.Data, id uint32) error { return d.Delete(ctx, key, value, id) })
	return s.dataChanged(printer, id, err, "value "+spool.Quote(value)+" of key "+spool.Quote(key)+" was deleted by "+by)
}

// DeletePrinterKey removes a key with everything below it; the empty key is all of it.
func (s *Spooler) DeletePrinterKey(ctx context.Context, printer, key, by string) (uint32, error) {
	id, err := s.changeData(printer, func(d hostprinterdata.Data, id uint32) error { return d.DeleteKey(ctx, key, id) })
	return s.dataChanged(printer, id, err, "key "+spool.Quote(key)+" was deleted by "+by)
}

func (s *Spooler) dataChanged(printer string, id uint32, err error, what string) (uint32, error) {
	if err != nil {
		return 0, err
	}
	s.event(eventlog.PrinterDataChanged, eventlog.Info, eventlog.Printer, printer, "printer "+spool.Quote(printer)+": "+what)
	s.tellSet(printer)
	return id, nil
}

// changeData makes one change of a printer's data, with the next ChangeID.
func (s *Spooler) changeData(printer string, change func(d hostprinterdata.Data, id uint32) error) (uint32, error) {
	s.admin.Lock()
	defer s.admin.Unlock()
	d, err := s.data(printer)
	if err != nil {
		return 0, err
	}
	p, err := s.findPrinter(printer)
	if err != nil {
		return 0, err
	}
	id := nextChangeID(s.recordOf(p).ChangeID)
	if err := change(d, id); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.ChangeID = id
	p.wake()
	return id, nil
}

// touch gives a printer its next ChangeID.
func (s *Spooler) touch(ctx context.Context, printer string) error {
	_, err := s.changeData(printer, func(d hostprinterdata.Data, id uint32) error {
		return s.hive.SetValues(ctx, d.Root, registry.Uint32(printerdata.ChangeID, id))
	})
	return err
}

// ChangeID is another number after each change of a printer or its data.
func (s *Spooler) ChangeID(printer string) (uint32, error) {
	p, err := s.findPrinter(printer)
	if err != nil {
		return 0, err
	}
	return s.recordOf(p).ChangeID, nil
}

// WatchPrinter waits until a printer's ChangeID is not the given one, and gives it. A
// printer that was deleted is ERROR_PRINTER_DELETED.
func (s *Spooler) WatchPrinter(ctx context.Context, printer string, known uint32) (uint32, error) {
	for first := true; ; first = false {
		id, changed, err := s.look(printer)
		if errors.Is(err, spoolerr.NotFound) && !first {
			err = spoolerr.New(spoolerr.NotFound, spoolerr.CodePrinterDeleted, "printer %s was deleted", spool.Quote(printer))
		}
		if err != nil || id != known {
			return id, err
		}
		select {
		case <-changed:
		case <-s.ending:
			return 0, spoolerr.New(spoolerr.Unavailable, 0, "the spooler is stopping")
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// look gives a printer's ChangeID and what will be closed when it changes.
func (s *Spooler) look(printer string) (uint32, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.printers[spool.Fold(printer)]
	if p == nil {
		return 0, nil, unknownPrinter(printer)
	}
	if p.watched == nil {
		p.watched = make(chan struct{})
	}
	return p.ChangeID, p.watched, nil
}
