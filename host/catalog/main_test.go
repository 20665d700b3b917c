//go:build linux

package catalog

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// envMode makes this test binary, launched again, behave as a module.
const envMode = "SPOOLHOST_TEST_MODE"

func TestMain(m *testing.M) {
	nothing := func(grpc.ServiceRegistrar, *wire.Host, *slog.Logger) {}
	switch os.Getenv(envMode) {
	case "":
		unraced.Main(m)
	case "monitor":
		monitor.Serve(func(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
			if init.ServerName == "refused" {
				return nil, spoolerr.New(spoolerr.Denied, 0, "no licence for %s", init.ServerName)
			}
			return puppet{init}, nil
		}, monitor.Name("puppet\x1b\n"), monitor.Version("7"))
	case "monitorui":
		wire.Serve(wire.Module{Kind: wire.KindMonitorUI, Name: "pages", Version: "2", Services: []string{wire.ServiceMonitorUI}, Register: nothing})
	case "pointprint":
		wire.Serve(wire.Module{Kind: "pointprint", Name: "colours", Version: "1", Register: nothing})
	case "neither":
		wire.Serve(wire.Module{Kind: wire.KindMonitor, Name: "older", Version: "1", Services: []string{"spoolhost.monitor.v0.PrintMonitor"}, Register: nothing})
	case "unconverted":
		monitor.ServeV1(func(ctx context.Context, init monitor.InitV1) (monitor.Unconverted, error) {
			_, _, err := init.Registry.CreateKey(ctx, "here")
			return puppet{}, errors.Join(err, init.Spooler.SetPort(ctx, init.RegistryRoot, spool.PortStatus{}))
		}, monitor.Name("old"), monitor.Version("1"))
	}
}

// puppet is a monitor that does what XcvData says.
type puppet struct{ monitor.Init }

func (puppet) EnumPorts(context.Context) ([]spool.PortInfo, error) { return nil, nil }

func (puppet) OpenPort(context.Context, string) (monitor.Port, error) {
	return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPort, "no ports here")
}

func (p puppet) XcvOpenPort(context.Context, string, spool.Access) (monitor.Xcv, error) {
	return p, nil
}
func (puppet) Shutdown(context.Context) error { return nil }
func (puppet) Close(context.Context) error    { return nil }

func (p puppet) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	switch name {
	case "registry":
		return []byte(registryScript(ctx, p.Registry)), nil
	case "query":
		_, err := p.Registry.QueryInfoKey(ctx)
		return nil, err
	case "setjob":
		return nil, p.Spooler.SetJob(ctx, 42, spool.JobControlSentToPrinter)
	case "setport":
		return nil, p.Spooler.SetPort(ctx, "P1", spool.PortStatus{Text: string(in), Code: spool.PortStatusPaperOut, Severity: spool.SeverityError})
	}
	return nil, spoolerr.New(spoolerr.Invalid, 0, "unknown")
}

// recorder takes the callbacks of instances.
type recorder struct {
	mu    sync.Mutex
	jobs  []uint64
	ports []spool.PortStatus
	err   error
}

func (r *recorder) SetJob(_ context.Context, id uint64, _ spool.JobControl) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, id)
	return r.err
}

func (r *recorder) SetPort(_ context.Context, _ string, s spool.PortStatus) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ports = append(r.ports, s)
	return r.err
}

var images = supervisor.NewImages()

// fixture is a catalog on a bolt store.
type fixture struct {
	*Catalog
	env      *supervisor.Env
	file     string
	store    store.Store
	registry *registry.Registry
}

func newFixture(t *testing.T, builtins ...Monitor) *fixture {
	t.Helper()
	dir, err := os.MkdirTemp("", "sh") // t.TempDir is too long for sockets
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	orphans, err := supervisor.NewOrphans(filepath.Join(dir, "orphans"))
	check(t, err)
	launcher := supervisor.NewLauncher()
	f := &fixture{file: filepath.Join(dir, "db"), env: &supervisor.Env{
		Launcher: launcher, Images: images, RuntimeDir: filepath.Join(dir, "run"), Orphans: orphans,
		StartTimeout: 30 * time.Second, StopGrace: 5 * time.Second, Now: time.Now,
	}}
	check(t, os.Mkdir(f.env.RuntimeDir, 0o700))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		launcher.Run(ctx)
	}()
	t.Cleanup(func() {
		if left, err := os.ReadDir(f.env.RuntimeDir); err != nil || len(left) > 0 {
			t.Errorf("left in the runtime directory: %v %v", left, err)
		}
		cancel()
		<-done
		_ = f.store.Close()
	})
	if problems := f.open(t, builtins...); len(problems) > 0 {
		t.Fatalf("problems %v", problems)
	}
	return f
}

func (f *fixture) open(t *testing.T, builtins ...Monitor) []Problem {
	t.Helper()
	var err error
	f.store, err = store.OpenBolt(f.file, store.Options{})
	check(t, err)
	f.registry = registry.New(f.store, registry.Options{})
	var problems []Problem
	f.Catalog, problems, err = Open(deadline(t), Config{
		Store: f.store, Env: f.env, Builtins: builtins, CallTimeout: 20 * time.Second,
		Now: func() time.Time { return time.Unix(1000, 0).UTC() },
	})
	check(t, err)
	return problems
}

// reopen is what a restart of the host does.
func (f *fixture) reopen(t *testing.T, builtins ...Monitor) []Problem {
	t.Helper()
	check(t, f.store.Close())
	return f.open(t, builtins...)
}

func self(t *testing.T) string {
	t.Helper()
	path, err := unraced.Executable()
	check(t, err)
	return path
}

func mode(s string) string { return envMode + "=" + s }

// add installs this binary as a monitor.
func (f *fixture) add(t *testing.T, name string) Monitor {
	t.Helper()
	m, err := f.Add(deadline(t), name, self(t), []string{"-test.run=^$"}, "", mode("monitor"))
	check(t, err)
	return m
}

func (f *fixture) bind(t *testing.T, m Monitor, server string, callbacks wire.Callbacks) *Instance {
	t.Helper()
	i, err := f.Bind(deadline(t), m, For{
		Spooler: server, Local: true, Root: f.registry.Hive(server).Root(`Monitors\`+m.Name, registry.Limit{Owner: m.Name}), Callbacks: callbacks,
	})
	check(t, err)
	t.Cleanup(func() {
		i.Revoke()
		i.Process.Kill("the test is over")
		<-i.Process.Released()
	})
	return i
}

func do(t *testing.T, i *Instance, what, with string) (string, error) {
	t.Helper()
	x, err := i.XcvOpenPort(deadline(t), "", 0)
	check(t, err)
	out, err := x.Data(deadline(t), what, []byte(with))
	return string(out), errors.Join(err, x.Close(deadline(t)))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, kind spoolerr.Kind, code spoolerr.Code) {
	t.Helper()
	if err == nil || spoolerr.KindOf(err) != kind || spoolerr.CodeOf(err) != code {
		t.Errorf("error %v (kind %v, code %d), want kind %v, code %d", err, spoolerr.KindOf(err), spoolerr.CodeOf(err), kind, code)
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}
