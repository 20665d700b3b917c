// Package loader is LoadLibrary for Point and Print modules and drivers: it finds a module
// by name among those that are installed, launches it in a process of its own for one
// spooler, keeps that while it is used and ends it when it has been idle for a while. One
// that crashed is started again when it is next needed, after a delay that grows.
//
// The spooler and the client side of Point and Print import it. It decides nothing about
// files and printers. Every call has a deadline; a module that does not let go of a call
// is ended by its supervisor.Process.
package loader

import (
	"context"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// DefaultIdle is how long a process is kept that nobody uses.
const DefaultIdle = time.Minute

// Config is what a loader needs.
type Config struct {
	Modules *catalog.Modules
	// Spooler is whom the modules are for, Hive its registry.
	Spooler string
	Hive    *registry.Hive
	// RegistryLimit bounds what one module may store, in bytes; 0 is the default.
	RegistryLimit int64
	// Call bounds a call; the start of a process comes on top, once.
	Call time.Duration
	// Idle is how long a process is kept that nobody uses; 0 is DefaultIdle.
	Idle    time.Duration
	Backoff supervisor.Backoff
	Events  *eventlog.Log
	// Log receives the output of modules. It may be nil.
	Log func(module string, l supervisor.Line)
	Now func() time.Time
}

// Loader keeps the processes of modules for one spooler. It is safe for concurrent use.
type Loader struct {
	cfg Config

	mu     sync.Mutex
	slots  map[string]*slot // by folded module name
	closed bool
	work   sync.WaitGroup // starts, lives and ends of processes
}

// New makes a loader; it starts nothing.
func New(cfg Config) *Loader {
	if cfg.Idle <= 0 {
		cfg.Idle = DefaultIdle
	}
	if cfg.Backoff == (supervisor.Backoff{}) {
		cfg.Backoff = supervisor.DefaultBackoff()
		cfg.Backoff.Limit = 0 // it is tried each time that somebody needs it, and the delay is due
	}
	return &Loader{cfg: cfg, slots: make(map[string]*slot)}
}

// GenerateCopyFilePaths calls the Point and Print module that printer data names. c.Printer
// is what it may see of the printer.
func (l *Loader) GenerateCopyFilePaths(ctx context.Context, module string, c pointprint.CopyFilePaths) (d pointprint.Dirs, err error) {
	err = l.call(ctx, wire.KindPointPrint, module, "GenerateCopyFilePaths", func(ctx context.Context, m *catalog.Loaded) error {
		token, giveBack := m.Lend(c.Printer)
		defer giveBack()
		d, err = m.PointPrint.GenerateCopyFilePaths(ctx, c, token)
		return err
	})
	return d, err
}

// SpoolerCopyFileEvent calls the Point and Print module that printer data names.
func (l *Loader) SpoolerCopyFileEvent(ctx context.Context, module string, e pointprint.CopyFileEvent) error {
	return l.call(ctx, wire.KindPointPrint, module, "SpoolerCopyFileEvent", func(ctx context.Context, m *catalog.Loaded) error {
		token, giveBack := m.Lend(e.Printer)
		defer giveBack()
		return m.PointPrint.SpoolerCopyFileEvent(ctx, e, token)
	})
}

// DrvPrinterEvent calls the event module that a driver names.
func (l *Loader) DrvPrinterEvent(ctx context.Context, module string, e driver.PrinterEvent) error {
	return l.call(ctx, wire.KindDriver, module, "DrvPrinterEvent", func(ctx context.Context, m *catalog.Loaded) error {
		token, giveBack := m.Lend(e.Printer)
		defer giveBack()
		return m.Driver.DrvPrinterEvent(ctx, e, token)
	})
}

// call makes one call. The error names the module.
func (l *Loader) call(ctx context.Context, kind, named, what string, do func(context.Context, *catalog.Loaded) error) error {
	m, err := l.cfg.Modules.Find(kind, named)
	if err != nil {
		return err
	}
	used, err := l.enter(ctx, m)
	if err != nil {
		return spoolerr.Wrap(err, "module %s cannot be used", spool.Quote(m.Name))
	}
	defer l.leave(used)
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Call)
	defer cancel()
	return spoolerr.Wrap(do(ctx, used.loaded), "%s of module %s", what, spool.Quote(m.Name))
}

func (l *Loader) note(id eventlog.ID, severity eventlog.Severity, name, text string) {
	l.cfg.Events.Add(eventlog.Event{ID: id, Severity: severity, Spooler: l.cfg.Spooler, Object: eventlog.Module, Name: name, Text: text})
}

// Close ends every process, after the calls that are under way, and waits for it. It may
// be called again.
func (l *Loader) Close() {
	l.mu.Lock()
	l.closed = true
	for _, s := range l.slots {
		if s.life != nil && s.life.users == 0 && s.life.isReady() {
			l.retire(s.life, "the spooler is stopping")
		}
	}
	l.mu.Unlock()
	l.work.Wait()
}

// Running gives the names of the modules that have a process, for tests and figures.
func (l *Loader) Running() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, s := range l.slots {
		if s.life != nil && s.life.isReady() && s.life.err == nil {
			names = append(names, s.module.Name)
		}
	}
	return names
}
