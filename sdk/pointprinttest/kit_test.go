package pointprinttest_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	pointprintv1 "github.com/spoolhost/spoolhost/proto/spoolhost/pointprint/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/pointprinttest"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// The last argument makes this test binary, launched again, a module.
const (
	beModule  = "be-a-module"
	beExiting = "be-a-module-that-exits"
	beLax     = "be-a-module-that-takes-everything"
)

func TestMain(m *testing.M) {
	switch os.Args[len(os.Args)-1] {
	case beModule:
		pointprint.Serve(variant{}.initialize)
	case beLax:
		wire.Serve(wire.Module{
			Kind: wire.KindPointPrint, Name: "lax", Services: []string{wire.ServicePointPrintV1},
			Register: func(s grpc.ServiceRegistrar, _ *wire.Host, _ *slog.Logger) {
				pointprintv1.RegisterPointAndPrintServer(s, lax{})
			},
		})
	case beExiting:
		pointprint.Serve(variant{event: func(context.Context, pointprint.CopyFileEvent) error { os.Exit(3); return nil }}.initialize)
	default:
		goleak.VerifyTestMain(m)
	}
}

// lax is a module without the SDK: it takes every Initialize and every level.
type lax struct {
	pointprintv1.UnimplementedPointAndPrintServer
}

func (lax) Initialize(context.Context, *pointprintv1.InitializeRequest) (*pointprintv1.InitializeResponse, error) {
	return &pointprintv1.InitializeResponse{}, nil
}

func (lax) GenerateCopyFilePaths(_ context.Context, r *pointprintv1.GenerateCopyFilePathsRequest) (*pointprintv1.GenerateCopyFilePathsResponse, error) {
	return &pointprintv1.GenerateCopyFilePathsResponse{SourceDir: r.GetSourceDir(), TargetDir: r.GetTargetDir()}, nil
}

// variant is a sound module, but for what its functions do.
type variant struct {
	init  func(ctx context.Context, init pointprint.Init) error
	paths func(ctx context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error)
	event func(ctx context.Context, e pointprint.CopyFileEvent) error
}

func (v variant) initialize(ctx context.Context, init pointprint.Init) (pointprint.Module, error) {
	if v.init != nil {
		if err := v.init(ctx, init); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v variant) GenerateCopyFilePaths(ctx context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
	if v.paths != nil {
		return v.paths(ctx, c)
	}
	return c.Dirs, nil
}

func (v variant) SpoolerCopyFileEvent(ctx context.Context, e pointprint.CopyFileEvent) error {
	if v.event != nil {
		return v.event(ctx, e)
	}
	return nil
}

func TestASoundModulePasses(t *testing.T) {
	pointprinttest.Run(t, pointprinttest.PointPrint(variant{}.initialize), pointprinttest.Options{})
}

// TestEveryRuleCanFail has a module for each rule that breaks it.
func TestEveryRuleCanFail(t *testing.T) {
	paths := func(f func(c pointprint.CopyFilePaths) pointprint.Dirs) variant {
		return variant{paths: func(_ context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error) { return f(c), nil }}
	}
	var calls atomic.Int64
	var mu sync.Mutex
	last := ""
	var kept printerdata.Printer
	broken := map[string]variant{
		"paths.server": paths(func(c pointprint.CopyFilePaths) pointprint.Dirs {
			return pointprint.Dirs{SourceDir: c.SourceDir, TargetDir: `..\x64\3`}
		}),
		"paths.client": paths(func(c pointprint.CopyFilePaths) pointprint.Dirs {
			return pointprint.Dirs{SourceDir: c.SourceDir, TargetDir: "/etc/cron.d"}
		}),
		"paths.same": paths(func(c pointprint.CopyFilePaths) pointprint.Dirs {
			return pointprint.Dirs{SourceDir: c.SourceDir, TargetDir: fmt.Sprint(c.TargetDir, calls.Add(1))}
		}),
		"paths.size": paths(func(c pointprint.CopyFilePaths) pointprint.Dirs {
			return pointprint.Dirs{SourceDir: c.SourceDir, TargetDir: c.TargetDir + strings.Repeat("x", int(calls.Add(1)))}
		}),
		"paths.only": {paths: func(ctx context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
			return c.Dirs, c.Printer.SetPrinterDataEx(ctx, printerdata.DriverData, registry.Uint32("asked", 1))
		}},
		"paths.together": paths(func(c pointprint.CopyFilePaths) pointprint.Dirs {
			mu.Lock()
			before := last
			last = c.TargetDir
			mu.Unlock()
			return pointprint.Dirs{SourceDir: c.SourceDir, TargetDir: before + c.TargetDir} // a variable of all calls
		}),
		"events.known": {event: func(_ context.Context, e pointprint.CopyFileEvent) error {
			if e.Event == pointprint.DeletePrinterConnection {
				return spoolerr.New(spoolerr.NotFound, 0, "no such connection")
			}
			return nil
		}},
		"module.again": {init: func(ctx context.Context, init pointprint.Init) error {
			_, created, err := init.Registry.CreateKey(ctx, "mine")
			if err == nil && !created {
				err = spoolerr.New(spoolerr.Exists, 0, "I was here before")
			}
			return err
		}},
		"calls.over": {event: func(ctx context.Context, e pointprint.CopyFileEvent) error {
			mu.Lock()
			defer mu.Unlock()
			if kept == nil {
				kept = e.Printer
			}
			_, _ = kept.EnumPrinterDataEx(ctx, e.Key)
			return nil
		}},
	}
	for id, v := range broken {
		t.Run(id, func(t *testing.T) { fails(t, pointprinttest.PointPrint(v.initialize), id) })
	}
	// What a module of this SDK cannot do wrong is broken on the way to it or by its process.
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"events.files", "events.unknown", "calls.drain"} {
		t.Run(id, func(t *testing.T) { fails(t, pointprinttest.Executable(path, beExiting), id) })
	}
	for _, id := range []string{"paths.level", "module.once"} {
		t.Run(id, func(t *testing.T) { fails(t, pointprinttest.Executable(path, beLax), id) })
	}
}

// TestCallsThatAreGivenUp has modules that do not hear of it, and break this rule and no other;
// one that asks for things and hears of it passes.
func TestCallsThatAreGivenUp(t *testing.T) {
	deaf := func(ctx context.Context, p printerdata.Printer) error {
		_, err := p.EnumPrinterDataEx(context.WithoutCancel(ctx), printerdata.DriverData)
		return err
	}
	hears := func(ctx context.Context, p printerdata.Printer) error {
		_, err := p.EnumPrinterDataEx(ctx, printerdata.DriverData)
		return err
	}
	for name, ask := range map[string]func(context.Context, printerdata.Printer) error{"calls.cancelled": deaf, "": hears} {
		for kind, subject := range map[string]pointprinttest.Subject{
			"pointprint": pointprinttest.PointPrint(variant{event: func(ctx context.Context, e pointprint.CopyFileEvent) error { return ask(ctx, e.Printer) }}.initialize),
			"driver":     pointprinttest.Driver(load(func(ctx context.Context, e driver.PrinterEvent) error { return ask(ctx, e.Printer) })),
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				grace := time.Minute
				if name != "" {
					grace = 500 * time.Millisecond
				}
				report, err := pointprinttest.Verify(t.Context(), subject, pointprinttest.Options{Timeout: time.Minute, Grace: grace}, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range report.Results {
					if (r.Outcome == monitortest.Fail) != (r.ID == name) {
						t.Errorf("%s: %s %s", r.ID, r.Outcome, r.Detail)
					}
				}
			})
		}
	}
}

func fails(t *testing.T, s pointprinttest.Subject, id string) {
	t.Helper()
	report, err := pointprinttest.Verify(t.Context(), s, pointprinttest.Options{Only: []string{id}, Timeout: time.Minute}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if failed := report.With(monitortest.Fail); len(failed) != 1 || report.Results[0].Detail == "" {
		t.Errorf("the broken module passes: %+v", report.Results)
	}
}

type drv func(ctx context.Context, e driver.PrinterEvent) error

func (d drv) DrvPrinterEvent(ctx context.Context, e driver.PrinterEvent) error { return d(ctx, e) }

func load(d drv) driver.Load {
	return func(context.Context, driver.Init) (driver.Driver, error) { return d, nil }
}

func TestDrivers(t *testing.T) {
	sound := drv(func(ctx context.Context, e driver.PrinterEvent) error {
		if e.Event != driver.Initialize {
			return nil
		}
		return e.Printer.SetPrinterDataEx(ctx, printerdata.DriverData, registry.Uint32("Duplex", 1))
	})
	pointprinttest.Run(t, pointprinttest.Driver(load(sound)), pointprinttest.Options{})
	var count atomic.Uint32
	for id, d := range map[string]drv{
		"events.known": func(_ context.Context, e driver.PrinterEvent) error {
			if e.Event == driver.AttributesChanged && e.Attributes.New == 0x149 {
				return spoolerr.New(spoolerr.Unsupported, 0, "no attributes")
			}
			return nil
		},
		"events.unknown": func(_ context.Context, e driver.PrinterEvent) error {
			if e.Event > driver.LastEvent {
				return spoolerr.New(spoolerr.Unsupported, 0, "what?")
			}
			return nil
		},
		"events.initialize": func(ctx context.Context, e driver.PrinterEvent) error {
			return e.Printer.SetPrinterDataEx(ctx, printerdata.DriverData, registry.Uint32("Count", count.Add(1)))
		},
		"calls.over": func(ctx context.Context, e driver.PrinterEvent) error {
			return e.Printer.SetPrinterDataEx(ctx, `CopyFiles\ICM`, registry.String(printerdata.Module, "evil.dll"))
		},
	} {
		t.Run(id, func(t *testing.T) { fails(t, pointprinttest.Driver(load(d)), id) })
	}
}

func TestExecutable(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	report, err := pointprinttest.Verify(t.Context(), pointprinttest.Executable(path, beModule), pointprinttest.Options{Timeout: time.Minute}, nil)
	if err != nil || !report.OK() {
		t.Errorf("%+v, %v", report.With(monitortest.Fail), err)
	}
}
