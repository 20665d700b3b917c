package spooler_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// The arguments that make this binary a Point and Print module and a driver. Both write each
// call into the file that the variable names.
const (
	pointprintArg = "spoolhost-test-pointprint"
	driverArg     = "spoolhost-test-driver"
	journalEnv    = "SPOOLHOST_TEST_JOURNAL"
)

func serveNamed() {
	switch {
	case len(os.Args) > 1 && os.Args[1] == pointprintArg:
		pointprint.Serve(func(context.Context, pointprint.Init) (pointprint.Module, error) { return scribe{}, nil })
	case len(os.Args) > 1 && os.Args[1] == driverArg:
		driver.Serve(func(context.Context, driver.Init) (driver.Driver, error) { return scribe{}, nil })
	}
}

// scribe notes its calls and does what the printer's name says.
type scribe struct{}

func (scribe) note(format string, args ...any) error {
	f, err := os.OpenFile(os.Getenv(journalEnv), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, format+"\n", args...)
	return errors.Join(err, f.Close())
}

func (s scribe) GenerateCopyFilePaths(_ context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
	switch c.PrinterName {
	case "crash":
		os.Exit(3)
	case "hang":
		select {}
	case "outside":
		return pointprint.Dirs{SourceDir: `\\EVIL\PRINT$\Color`, TargetDir: c.TargetDir}, nil
	case "above":
		return pointprint.Dirs{SourceDir: c.SourceDir, TargetDir: `..\x64\3`}, nil
	case "other":
		return pointprint.Dirs{SourceDir: c.SourceDir + `\arm64`, TargetDir: c.TargetDir}, nil
	}
	return c.Dirs, s.note("GenerateCopyFilePaths(%q, %q, {%d %d}, %d, %q, %q, %d)", c.PrinterName, c.Directory,
		c.Client.MajorVersion, c.Client.ProcessorArchitecture, c.Level, c.SourceDir, c.TargetDir, c.Flags)
}

func (s scribe) SpoolerCopyFileEvent(ctx context.Context, e pointprint.CopyFileEvent) error {
	v, err := e.Printer.GetPrinterDataEx(ctx, e.Key, printerdata.Directory)
	dir, _ := v.Text()
	return errors.Join(err, s.note("SpoolerCopyFileEvent(%q, %q, %s) Directory %s", e.PrinterName, e.Key, e.Event, dir))
}

func (s scribe) DrvPrinterEvent(ctx context.Context, e driver.PrinterEvent) error {
	if e.PrinterName == "refused" {
		return spoolerr.New(spoolerr.Denied, 0, "no licence for this printer")
	}
	if e.Event == driver.Initialize {
		if err := e.Printer.SetPrinterDataEx(ctx, printerdata.DriverData, registry.Uint32("Duplex", 1)); err != nil {
			return err
		}
	}
	return s.note("DrvPrinterEvent(%q, %s, %d) by %q %v", e.PrinterName, e.Event, e.Flags, e.User, e.Attributes)
}

// print is a host with both modules.
type printHost struct {
	*node
	journal string
}

func bootPrint(t *testing.T) *printHost {
	t.Helper()
	p := &printHost{journal: filepath.Join(t.TempDir(), "journal")}
	module := func(name, kind, arg string) catalog.Module {
		m := hosttest.Monitor(name)
		return catalog.Module{Name: name, Kind: kind, Path: m.Path, Args: []string{arg}, Env: []string{journalEnv + "=" + p.journal}}
	}
	p.node = boot(t, func(c *host.Config) {
		c.BuiltinModules = []catalog.Module{module("mscms", wire.KindPointPrint, pointprintArg), module("drv", wire.KindDriver, driverArg)}
		c.Limits.Call = 10 * time.Second
	})
	p.port("P1")
	return p
}

func (p *printHost) data(printer, key string, v registry.Value) {
	p.Helper()
	_, err := p.node.node().SetPrinterDataEx(p.Context(), printer, key, v, "a test")
	p.ok(err)
}

// icm gives a printer the values of the documentation's example.
func (p *printHost) icm(printer string) {
	p.Helper()
	p.data(printer, `CopyFiles\ICM`, registry.String("Directory", "Color"))
	p.data(printer, `CopyFiles\ICM`, registry.Strings("Files", "Hpclrlsr.icm"))
	p.data(printer, `CopyFiles\ICM`, registry.String("Module", "mscms.dll"))
}

func (p *printHost) enum(printer string) (source, target string, err error) {
	p.Helper()
	list, _, err := p.node.node().EnumPrinterDataEx(p.Context(), printer, `CopyFiles\ICM`, spooler.Client{
		Server: "NTPRINT", Info: pointprint.ClientInfo{MajorVersion: 3, ProcessorArchitecture: pointprint.X64},
	})
	for _, v := range list {
		switch v.Name {
		case printerdata.SourceDir:
			source, _ = v.Text()
		case printerdata.TargetDir:
			target, _ = v.Text()
		}
	}
	return source, target, err
}

// noted waits until the modules have noted a line.
func (p *printHost) noted(line string) {
	p.Helper()
	p.until(line, func() bool {
		b, _ := os.ReadFile(p.journal)
		return strings.Contains("\n"+string(b), "\n"+line+"\n")
	})
}

func TestServerSideOfTheExample(t *testing.T) {
	t.Parallel()
	p := bootPrint(t)
	p.printer("HpColor", "P1")
	p.icm("HpColor")
	p.noted(`SpoolerCopyFileEvent("HpColor", "CopyFiles\\ICM", COPYFILE_EVENT_SET_PRINTER_DATAEX) Directory Color`)
	source, target, err := p.enum("HpColor")
	if err != nil || source != `\\NTPRINT\PRINT$\Color` || target != "Color" {
		t.Errorf("SourceDir %q, TargetDir %q, %v", source, target, err)
	}
	p.noted(`GenerateCopyFilePaths("HpColor", "Color", {3 9}, 1, "\\\\NTPRINT\\PRINT$\\Color", "Color", 2)`)
	for _, name := range []string{printerdata.SourceDir, printerdata.TargetDir} {
		if _, err := p.node.node().GetPrinterDataEx(t.Context(), "HpColor", `CopyFiles\ICM`, name); !errors.Is(err, spoolerr.CodeFileNotFound) {
			t.Errorf("%s is stored: %v", name, err)
		}
	}
	p.ok(p.node.node().DeletePrinter(t.Context(), "HpColor"))
	p.noted(`SpoolerCopyFileEvent("HpColor", "CopyFiles\\ICM", COPYFILE_EVENT_DELETE_PRINTER) Directory Color`)
}

func TestModulesThatRewriteOrFail(t *testing.T) {
	t.Parallel()
	p := bootPrint(t)
	for _, c := range []struct {
		printer, source string
		kind            spoolerr.Kind
	}{
		{"other", `\\NTPRINT\PRINT$\Color\arm64`, 0},
		{"outside", "", spoolerr.Denied},
		{"above", "", spoolerr.Denied},
		{"crash", "", spoolerr.Exited},
		{"hang", "", spoolerr.TimedOut},
	} {
		p.printer(c.printer, "P1")
		p.icm(c.printer)
		source, _, err := p.enum(c.printer)
		if source != c.source || c.source == "" && spoolerr.KindOf(err) != c.kind {
			t.Errorf("%s: SourceDir %q, %v", c.printer, source, err)
		}
	}
	p.printer("HpColor", "P1")
	p.icm("HpColor")
	p.until("the module works again", func() bool { _, _, err := p.enum("HpColor"); return err == nil })
	p.data("HpColor", `CopyFiles\ICM`, registry.String("Module", "missing.dll"))
	if _, _, err := p.enum("HpColor"); !errors.Is(err, spoolerr.CodeModNotFound) {
		t.Errorf("a missing module: %v", err)
	}
}

func TestChangeIDs(t *testing.T) {
	t.Parallel()
	p := bootPrint(t)
	p.printer("HpColor", "P1")
	n := p.node.node()
	known, err := n.ChangeID("HpColor")
	p.ok(err)
	text := "new"
	for name, change := range map[string]func(){
		"a setting": func() { p.set("HpColor", spooler.Settings{Comment: &text}) },
		"a value":   func() { p.data("HpColor", "PrinterDriverData", registry.String("a", "b")) },
		"a deletion": func() {
			_, err := n.DeletePrinterKey(t.Context(), "HpColor", "", "a test")
			p.ok(err)
		},
	} {
		got := make(chan uint32, 1)
		go func(known uint32) {
			id, _ := n.WatchPrinter(t.Context(), "HpColor", known)
			got <- id
		}(known)
		change()
		id := <-got
		if now, _ := n.ChangeID("HpColor"); id == known || now == known {
			t.Errorf("%s: the ChangeID is still %d", name, known)
		}
		known, _ = n.ChangeID("HpColor")
	}
	p.data("HpColor", `CopyFiles\ICM`, registry.String("Directory", "Color"))
	p.data("HpColor", `CopyFiles\ICM`, registry.Strings("Files", "x.icm"))
	before, _ := n.ChangeID("HpColor")
	p.ok(n.FilesChanged(t.Context(), `color\X.icm`, ""))
	if known, _ = n.ChangeID("HpColor"); known == before {
		t.Error("a file changed, and the ChangeID did not")
	}
	p.restart()
	if id, _ := p.node.node().ChangeID("HpColor"); id != known {
		t.Errorf("after a restart the ChangeID is %d, not %d", id, known)
	}
	gone := make(chan error, 1)
	go func() {
		_, err := p.node.node().WatchPrinter(t.Context(), "HpColor", known)
		gone <- err
	}()
	p.ok(p.node.node().DeletePrinter(t.Context(), "HpColor"))
	if err := <-gone; spoolerr.KindOf(err) != spoolerr.NotFound {
		t.Errorf("the watch of a deleted printer ended with %v", err)
	}
}

func TestDriverEvents(t *testing.T) {
	t.Parallel()
	p := bootPrint(t)
	sh := p.host.Share()
	b, err := sh.Store(t.Context(), io.LimitReader(strings.NewReader("ppd"), 3), 3)
	p.ok(err)
	defer b.Release(t.Context())
	_, err = sh.AddDriver(t.Context(), share.Driver{Name: "Acme", Environment: "Linux x64", Version: 3, DataFile: "acme.ppd", Module: "drv"}, map[string]share.Blob{"acme.ppd": b}, false)
	p.ok(err)
	name, keep := "Acme", true
	set := spooler.Settings{Ports: []string{"P1"}, Driver: &name, By: "anna"}
	n := p.node.node()
	p.ok(n.AddPrinter(t.Context(), "HpColor", set))
	p.noted(`DrvPrinterEvent("HpColor", PRINTER_EVENT_INITIALIZE, 1) by "anna" <nil>`)
	if v, err := n.GetPrinterDataEx(t.Context(), "HpColor", printerdata.DriverData, "Duplex"); err != nil || v.Type != registry.DWORD {
		t.Errorf("the driver's default: %+v, %v", v, err)
	}
	p.set("HpColor", spooler.Settings{KeepPrinted: &keep})
	p.noted(`DrvPrinterEvent("HpColor", PRINTER_EVENT_ATTRIBUTES_CHANGED, 1) by "" &{73 329}`)
	p.ok(n.DeletePrinter(t.Context(), "HpColor"))
	p.noted(`DrvPrinterEvent("HpColor", PRINTER_EVENT_DELETE, 1) by "" <nil>`)
	err = n.AddPrinter(t.Context(), "refused", set)
	if spoolerr.KindOf(err) != spoolerr.Denied || !strings.Contains(err.Error(), "no licence") {
		t.Errorf("AddPrinter that the driver refuses: %v", err)
	}
	if _, err := n.Printer("refused"); !errors.Is(err, spoolerr.NotFound) {
		t.Errorf("it is there: %v", err)
	}
	missing := "Nobody's"
	if err := n.AddPrinter(t.Context(), "x", spooler.Settings{Ports: []string{"P1"}, Driver: &missing}); !errors.Is(err, spoolerr.CodeUnknownPrinterDriver) {
		t.Errorf("an unknown driver: %v", err)
	}
}
