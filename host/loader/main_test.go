//go:build linux

package loader_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// envMode makes this test binary, launched again, a module.
const envMode = "SPOOLHOST_TEST_MODE"

func TestMain(m *testing.M) {
	switch os.Getenv(envMode) {
	case "pointprint":
		pointprint.Serve(func(ctx context.Context, init pointprint.Init) (pointprint.Module, error) {
			return puppet{}, init.Registry.SetValue(ctx, registry.String("server", init.ServerName))
		}, pointprint.Name("puppet"), pointprint.Version("1"))
	case "refuses":
		pointprint.Serve(func(context.Context, pointprint.Init) (pointprint.Module, error) {
			return nil, spoolerr.New(spoolerr.Denied, 0, "no licence")
		})
	case "driver":
		driver.Serve(func(context.Context, driver.Init) (driver.Driver, error) { return puppet{}, nil })
	default:
		unraced.Main(m)
	}
}

// puppet does what the printer's name says.
type puppet struct{}

func (puppet) GenerateCopyFilePaths(ctx context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
	switch c.PrinterName {
	case "crash":
		os.Exit(3)
	case "hang":
		select {}
	case "refuse":
		return c.Dirs, spoolerr.New(spoolerr.Denied, 0, "not for you")
	case "long":
		c.SourceDir += strings.Repeat(`\x`, 1000)
	case "data":
		v, err := c.Printer.GetPrinterDataEx(ctx, "CopyFiles", "x")
		return pointprint.Dirs{SourceDir: v.Name, TargetDir: "t"}, err
	}
	return c.Dirs, nil
}

func (puppet) SpoolerCopyFileEvent(ctx context.Context, e pointprint.CopyFileEvent) error {
	f, err := e.Printer.OpenFile(ctx, e.Key, "file")
	if err != nil {
		return err
	}
	b := make([]byte, f.Size())
	if _, err = f.ReadAt(b, 0); err != nil {
		return err
	}
	return e.Printer.SetPrinterDataEx(ctx, e.Key, registry.Bytes("copy", b))
}

func (puppet) DrvPrinterEvent(ctx context.Context, e driver.PrinterEvent) error {
	return e.Printer.SetPrinterDataEx(ctx, printerdata.DriverData, registry.String("event", e.Event.String()+" by "+e.User))
}
