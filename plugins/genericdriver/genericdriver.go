// Package genericdriver is a printer driver's event module that fits any printer: it gives a
// new printer the defaults that drivers are expected to leave, and on a client keeps a
// record of the connections that use it. A vendor's own takes its place where more is wanted.
package genericdriver

import (
	"context"
	"errors"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// What the module calls itself.
const (
	Name    = "genericdriver"
	Version = "1.0"
)

// Load is the loading of the module.
func Load(_ context.Context, init driver.Init) (driver.Driver, error) {
	return &generic{reg: init.Registry}, nil
}

type generic struct{ reg registry.Key }

// defaults are what a printer has after PRINTER_EVENT_INITIALIZE, unless it has it already.
func defaults() []registry.Value {
	return []registry.Value{
		registry.Uint32("InitDriverVersion", 0x0100), registry.Uint32("EMFDespoolingSetting", 1),
	}
}

func (g *generic) DrvPrinterEvent(ctx context.Context, e driver.PrinterEvent) error {
	switch e.Event {
	case driver.Initialize:
		return initialize(ctx, e.Printer)
	case driver.AddConnection, driver.AddConnectionNoUI:
		return g.record(ctx, e.PrinterName)
	case driver.DeleteConnection, driver.DeleteConnectionNoUI, driver.CacheDelete:
		return g.forget(ctx, e.PrinterName)
	}
	return nil
}

func initialize(ctx context.Context, p printerdata.Printer) error {
	for _, v := range defaults() {
		_, err := p.GetPrinterDataEx(ctx, printerdata.DriverData, v.Name)
		if errors.Is(err, spoolerr.NotFound) {
			err = p.SetPrinterDataEx(ctx, printerdata.DriverData, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func connectionKey(printer string) string { return `Connections\` + strings.Trim(printer, `\`) }

func (g *generic) record(ctx context.Context, printer string) error {
	key, _, err := g.reg.CreateKey(ctx, connectionKey(printer))
	if err != nil {
		return err
	}
	return key.CloseKey(ctx)
}

func (g *generic) forget(ctx context.Context, printer string) error {
	err := g.reg.DeleteKey(ctx, connectionKey(printer))
	if errors.Is(err, spoolerr.NotFound) {
		return nil
	}
	return err
}
