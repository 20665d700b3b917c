//go:build linux

package loader_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/loader"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	sdkregistry "github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// fixture is a loader with modules that are this test binary.
type fixture struct {
	*loader.Loader
	modules *catalog.Modules
	hive    *registry.Hive
	events  *eventlog.Log
}

func newFixture(t *testing.T, change func(*loader.Config)) *fixture {
	t.Helper()
	dir, err := os.MkdirTemp("", "sh") // t.TempDir is too long for sockets
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	orphans, err := supervisor.NewOrphans(filepath.Join(dir, "orphans"))
	check(t, err)
	launcher := supervisor.NewLauncher()
	env := &supervisor.Env{
		Launcher: launcher, Images: supervisor.NewImages(), RuntimeDir: filepath.Join(dir, "run"), Orphans: orphans,
		StartTimeout: time.Minute, StopGrace: 100 * time.Millisecond, EndStep: 100 * time.Millisecond, Now: time.Now,
	}
	check(t, os.Mkdir(env.RuntimeDir, 0o700))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { launcher.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	db, err := store.OpenBolt(filepath.Join(dir, "db"), store.Options{})
	check(t, err)
	t.Cleanup(func() { _ = db.Close() })
	c, _, err := catalog.Open(deadline(t), catalog.Config{Store: db, Env: env, CallTimeout: time.Minute, Now: time.Now})
	check(t, err)
	f := &fixture{hive: registry.New(db, registry.Options{}).Hive("node")}
	f.modules, _, err = catalog.OpenModules(deadline(t), c, nil)
	check(t, err)
	f.events, err = eventlog.Open(filepath.Join(dir, "events"), eventlog.Options{})
	check(t, err)
	t.Cleanup(func() { _ = f.events.Close() })
	cfg := loader.Config{
		Modules: f.modules, Spooler: "NTPRINT", Hive: f.hive, Call: time.Minute, Idle: time.Hour, Events: f.events, Now: time.Now,
	}
	if change != nil {
		change(&cfg)
	}
	f.Loader = loader.New(cfg)
	t.Cleanup(f.Close)
	return f
}

func (f *fixture) add(t *testing.T, name, kind, mode string) {
	t.Helper()
	path, err := unraced.Executable()
	check(t, err)
	_, err = f.modules.Add(deadline(t), catalog.Module{
		Name: name, Kind: kind, Path: path, Args: []string{"-test.run=^$"}, Env: []string{envMode + "=" + mode},
	})
	check(t, err)
}

func (f *fixture) paths(t *testing.T, printer string) (pointprint.Dirs, error) {
	t.Helper()
	return f.GenerateCopyFilePaths(deadline(t), "puppet.dll", pointprint.CopyFilePaths{
		PrinterName: printer, Directory: "Color", Flags: pointprint.ServerSpooler, Printer: &printer1{},
		Dirs: pointprint.Dirs{SourceDir: `\\NTPRINT\PRINT$\Color`, TargetDir: "Color"},
	})
}

// printer1 is a printer with one file of three parts.
type printer1 struct{ set []sdkregistry.Value }

func (p *printer1) GetPrinterDataEx(_ context.Context, key, value string) (sdkregistry.Value, error) {
	return sdkregistry.String(key+"/"+value, ""), nil
}

func (p *printer1) EnumPrinterDataEx(context.Context, string) ([]sdkregistry.Value, error) {
	return nil, nil
}

func (p *printer1) SetPrinterDataEx(_ context.Context, _ string, v sdkregistry.Value) error {
	p.set = append(p.set, v)
	return nil
}

func content() []byte { return bytes.Repeat([]byte("0123456789abcdef"), 150_000) }

func (p *printer1) OpenFile(context.Context, string, string) (*io.SectionReader, error) {
	return io.NewSectionReader(bytes.NewReader(content()), 0, int64(len(content()))), nil
}

func TestCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.add(t, "puppet", wire.KindPointPrint, "pointprint")
	f.add(t, "drv", wire.KindDriver, "driver")
	d, err := f.paths(t, "HpColor")
	if err != nil || d.SourceDir != `\\NTPRINT\PRINT$\Color` || d.TargetDir != "Color" {
		t.Errorf("unchanged: %+v %v", d, err)
	}
	if d, err = f.paths(t, "long"); err != nil || len(d.SourceDir) != 22+2000 {
		t.Errorf("more room: %d characters, %v", len(d.SourceDir), err)
	}
	if d, err = f.paths(t, "data"); err != nil || d.SourceDir != "CopyFiles/x" {
		t.Errorf("printer data: %+v %v", d, err)
	}
	_, err = f.paths(t, "refuse")
	wantKind(t, err, spoolerr.Denied)
	p := &printer1{}
	check(t, f.SpoolerCopyFileEvent(deadline(t), "PUPPET", pointprint.CopyFileEvent{Key: `CopyFiles\ICM`, Event: pointprint.FilesChanged, Printer: p}))
	if len(p.set) != 1 || !bytes.Equal(p.set[0].Data, content()) {
		t.Errorf("the module stored %d values", len(p.set))
	}
	check(t, f.DrvPrinterEvent(deadline(t), "drv", driver.PrinterEvent{Event: driver.Initialize, User: "anna", Printer: p}))
	if text, _ := p.set[1].Text(); text != "PRINTER_EVENT_INITIALIZE by anna" {
		t.Errorf("the driver stored %q", text)
	}
	if v, err := f.hive.QueryValue(deadline(t), `Modules\puppet`, "server"); err != nil {
		t.Error(err)
	} else if text, _ := v.Text(); text != "NTPRINT" {
		t.Errorf("its own registry has %q", text)
	}
	if len(f.Running()) != 2 {
		t.Errorf("running: %v", f.Running())
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.add(t, "drv", wire.KindDriver, "driver")
	for _, name := range []string{"missing", "drv", `..\puppet`, `\\srv\share\evil.dll`, "/bin/sh", "C:puppet", ""} {
		if _, err := f.GenerateCopyFilePaths(deadline(t), name, pointprint.CopyFilePaths{}); err == nil {
			t.Errorf("module %q was used", name)
		}
	}
}

func TestCrashIsNotedAndStartedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.add(t, "puppet", wire.KindPointPrint, "pointprint")
	_, err := f.paths(t, "crash")
	wantKind(t, err, spoolerr.Exited)
	poll.Until(t, "it answers again", func() bool {
		_, err := f.paths(t, "HpColor")
		return err == nil
	})
	poll.Until(t, "the event", func() bool {
		return len(f.events.Select(eventlog.Filter{IDs: []eventlog.ID{eventlog.ModuleFailed}, Object: eventlog.Module, Name: "puppet"})) == 1
	})
}

func TestHangEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *loader.Config) { c.Call = 3 * time.Second })
	f.add(t, "puppet", wire.KindPointPrint, "pointprint")
	_, err := f.paths(t, "hang")
	wantKind(t, err, spoolerr.TimedOut)
	poll.Until(t, "another process answers", func() bool {
		_, err := f.paths(t, "HpColor")
		return err == nil
	})
}

func TestFailuresBackOff(t *testing.T) {
	t.Parallel()
	clock := hosttest.NewClock(time.Unix(1000, 0))
	f := newFixture(t, func(c *loader.Config) {
		c.Now = clock.Now
		c.Backoff = supervisor.Backoff{Base: time.Minute, Max: time.Hour, HalfLife: time.Hour}
	})
	f.add(t, "puppet", wire.KindPointPrint, "refuses")
	for range 2 {
		_, err := f.paths(t, "HpColor")
		wantKind(t, err, spoolerr.Denied)
	}
	_, err := f.paths(t, "HpColor")
	wantKind(t, err, spoolerr.Unavailable)
	if !strings.Contains(err.Error(), "no licence") {
		t.Errorf("it does not say why: %v", err)
	}
	clock.Forward(2 * time.Minute)
	_, err = f.paths(t, "HpColor")
	wantKind(t, err, spoolerr.Denied)
}

func TestIdleProcessesEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *loader.Config) { c.Idle = time.Millisecond })
	f.add(t, "puppet", wire.KindPointPrint, "pointprint")
	for range 2 {
		_, err := f.paths(t, "HpColor")
		check(t, err)
		poll.Until(t, "it ends", func() bool { return len(f.Running()) == 0 })
	}
	if n := len(f.events.Select(eventlog.Filter{IDs: []eventlog.ID{eventlog.ModuleFailed}})); n != 0 {
		t.Errorf("%d failures noted", n)
	}
}

func TestManyAtOnceShareOneProcess(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.add(t, "puppet", wire.KindPointPrint, "pointprint")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := f.paths(t, "HpColor"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(f.events.Select(eventlog.Filter{IDs: []eventlog.ID{eventlog.ModuleStarted}})); n != 1 {
		t.Errorf("%d processes were started", n)
	}
	f.Close()
	_, err := f.paths(t, "HpColor")
	wantKind(t, err, spoolerr.Unavailable)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind spoolerr.Kind) {
	t.Helper()
	if err == nil || spoolerr.KindOf(err) != kind {
		t.Errorf("error %v, want kind %v", err, kind)
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
