// Package host is the composition root: it puts the store, the registry, the queue, the
// catalog, the spooler and the front ends together, and runs them.
//
// cmd imports it, and so may any program that wants to be a host. What a host does is in
// the packages below it; nothing is decided here but the order of things.
package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/dialogue"
	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/api"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/metrics"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Host is one node. New opens what it keeps, Run serves, Close gives everything back.
type Host struct {
	cfg      Config
	started  time.Time
	lock     *os.File
	store    store.Store
	events   *eventlog.Log
	docs     *document.Store
	launcher *supervisor.Launcher
	orphans  *supervisor.Orphans
	catalog  *catalog.Catalog
	metrics  *metrics.Metrics
	modules  *catalog.Modules
	share    *share.Share
	node     *spooler.Spooler
	drivers  *confine.Tree
	cluster  *clusterSpoolers // nil: the host is in no cluster
	runtime  string
	users    string // the directory for modules of other users
	cgroups  *supervisor.Cgroups
	engine   *clusterEngine // nil: in no cluster
	secure   *access.Secure // nil: no address of the network
	identity string         // the fingerprint that goes with it

	connections *client.Client

	ready    chan struct{}
	mu       sync.Mutex
	addrs    []string
	ippAddrs []string
}

// New opens the data directory and reads what is in it. It starts nothing. What cannot be
// read is reported in the event log and left alone; the rest works.
func New(ctx context.Context, cfg Config) (_ *Host, retErr error) {
	data, err := filepath.Abs(cfg.Data)
	if err != nil || cfg.Data == "" {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "no data directory is given; use --data DIR")
	}
	cfg.Data = data
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "data directory %s", cfg.Data)
	}
	h := &Host{cfg: cfg, started: cfg.Now(), metrics: metrics.New(), ready: make(chan struct{})}
	defer func() {
		if retErr != nil {
			_ = h.Close()
		}
	}()
	if h.lock, err = lockData(cfg.Data); err != nil {
		return nil, err
	}
	if err := h.open(); err != nil {
		return nil, err
	}
	return h, h.assemble(ctx)
}

// open opens the files.
func (h *Host) open() (err error) {
	if h.events, err = eventlog.Open(filepath.Join(h.cfg.Data, "events.log"), eventlog.Options{}); err != nil {
		return err
	}
	bolt, err := store.OpenBolt(filepath.Join(h.cfg.Data, "spoolhost.db"), store.Options{Committed: h.metrics.Committed})
	if err != nil {
		return err
	}
	h.store = bolt
	if err := h.openSecure(); err != nil {
		return err
	}
	if err := h.openEngine(); err != nil {
		return err
	}
	if h.docs, err = document.Open(filepath.Join(h.cfg.Data, "documents"), document.Options{}); err != nil {
		return err
	}
	if h.orphans, err = supervisor.NewOrphans(filepath.Join(h.cfg.Data, "modules")); err != nil {
		return err
	}
	h.cgroups = supervisor.OpenCgroups(h.cfg.Cgroup, ownDirectory(h.cfg.Data))
	if h.users, err = userDir(h.cfg.Data); err != nil {
		return err
	}
	h.runtime, err = runtimeDir(h.cfg.Data)
	return err
}

// assemble builds the parts upon the files.
func (h *Host) assemble(ctx context.Context) error {
	h.launcher = supervisor.NewLauncher()
	env := &supervisor.Env{
		Launcher: h.launcher, Images: supervisor.OpenImages(filepath.Join(h.cfg.Data, "digests")), RuntimeDir: h.runtime, Orphans: h.orphans,
		UserDir: h.users, Cgroups: h.cgroups,
		StartTimeout: h.cfg.Limits.Call, StopGrace: h.cfg.Limits.Grace, Now: h.cfg.Now, Observed: h.metrics.Call,
	}
	var problems []catalog.Problem
	var err error
	h.catalog, problems, err = catalog.Open(ctx, catalog.Config{
		Store: h.store, Env: env, Builtins: h.cfg.Builtins, CallTimeout: h.cfg.Limits.Call, Now: h.cfg.Now,
		Limits: h.cfg.Modules,
	})
	if err != nil {
		return err
	}
	modules, more, err := catalog.OpenModules(ctx, h.catalog, h.cfg.BuiltinModules)
	if err != nil {
		return err
	}
	h.modules = modules
	if err := h.openShare(ctx); err != nil {
		return err
	}
	for _, p := range append(problems, more...) {
		h.corrupt(p.Key, p.Err)
	}
	queue, damaged, err := job.Open(ctx, h.store, spooler.NodeName, h.cfg.Now)
	if err != nil {
		return err
	}
	for _, p := range damaged {
		h.corrupt(p.Key, p.Err)
	}
	if err := h.sweep(ctx, queue); err != nil {
		return err
	}
	h.node, err = spooler.New(ctx, spooler.Config{
		Name: spooler.NodeName, Local: true, Catalog: h.catalog, Registry: registry.New(h.store, registry.Options{}),
		Queue: queue, Documents: h.docs, Events: h.events, Logger: h.cfg.Logger, Limits: h.cfg.Limits,
		Retention: h.cfg.Retention, RegistryLimit: h.cfg.RegistryLimit, Watcher: h.metrics.For(spooler.NodeName), Now: h.cfg.Now,
		NewLoader: h.newLoader, Share: h.share,
	})
	if err != nil {
		return err
	}
	if err := h.openConnections(ctx); err != nil {
		return err
	}
	return h.openCluster()
}

func (h *Host) corrupt(key string, err error) {
	h.cfg.Logger.Error("a record is damaged and is left alone", "key", key, "error", err)
	h.events.Add(eventlog.Event{
		ID: eventlog.CorruptRecord, Severity: eventlog.Error, Object: eventlog.Host, Name: key,
		Text: fmt.Sprintf("record %s is damaged: %v", spool.Quote(key), err),
	})
}

// sweep removes documents that no job has: their submission was cut off by the death of
// the host, and its sender was never told of success.
func (h *Host) sweep(ctx context.Context, queue *job.Queue) error {
	removed, err := h.docs.Sweep(ctx, queue.Documents(ctx))
	if removed > 0 {
		h.cfg.Logger.Info("removed what unfinished submissions left", "documents", removed)
	}
	return err
}

// Ready is closed when the host answers and every monitor has been started or has failed.
func (h *Host) Ready() <-chan struct{} { return h.ready }

// Addrs are the addresses of the API, once Ready.
func (h *Host) Addrs() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.addrs
}

// Share is PRINT$.
func (h *Host) Share() *share.Share { return h.share }

// Catalog is the set of installed monitors.
func (h *Host) Catalog() *catalog.Catalog { return h.catalog }

// Node is the node's own spooler.
func (h *Host) Node() *spooler.Spooler { return h.node }

// Run serves until ctx ends, and then shuts down in order: no new documents, running ones
// finish or fail within the resource time-out, modules end, and last the API.
func (h *Host) Run(ctx context.Context) error {
	if err := h.endOrphans(ctx); err != nil {
		return err
	}
	listeners, httpListener, err := h.listen(ctx)
	if err != nil {
		return err
	}
	ippServer, err := h.openIPP(ctx)
	if err != nil {
		for _, l := range append(listeners, httpListener) {
			if l != nil {
				_ = l.Close()
			}
		}
		return err
	}
	server := api.New(api.Config{
		Spoolers: h.spoolers, AnswerIPP: ippServer.answer(), Cluster: h.apiCluster(), Connections: h.connections,
		Catalog: h.catalog, Events: h.events, Operators: h.cfg.Operators, Secure: h.secure, Engine: h.engine.api(), Dialogues: h.dialogues(),
		Info: api.Info{Version: h.cfg.Version, Started: h.started, Data: h.cfg.Data, Listen: h.Addrs, Identity: h.identity},
	})
	h.cluster.serves(server)
	// What others need longest is started first and stopped last.
	last, stopLast := context.WithCancel(context.WithoutCancel(ctx))
	var infrastructure, work sync.WaitGroup
	fail := newFailure()
	start := func(group *sync.WaitGroup, name string, fn func() error) {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := fn(); err != nil {
				fail.set(fmt.Errorf("%s: %w", name, err))
			}
		}()
	}
	start(&infrastructure, "event log", func() error { return h.events.Run(last) })
	if h.engine != nil {
		start(&infrastructure, "cluster engine", func() error { return h.engine.run(last) })
	}
	start(&infrastructure, "launcher", func() error { h.launcher.Run(last); return nil })
	h.note(eventlog.HostStarted, "the host started, version "+h.cfg.Version)
	working, stopWork := context.WithCancel(ctx)
	start(&work, "memory", func() error { h.relax(working); return nil })
	start(&work, "connections", func() error { return h.connections.Run(working) })
	start(&work, "spooler", func() error { return h.node.Run(working) })
	start(&work, "cluster", func() error { return h.runCluster(working) })
	for _, l := range listeners {
		start(&infrastructure, "api", func() error { return server.Serve(l) })
	}
	if httpListener != nil {
		start(&infrastructure, "http", func() error { return h.serveHTTP(last, httpListener) })
	}
	h.serveIPP(ippServer, func(fn func() error) { start(&infrastructure, "ipp", fn) })
	start(&work, "discovery", func() error { return h.announceIPP(working, ippServer) })
	h.awaitReady(working, fail.happened)
	select {
	case <-ctx.Done():
	case <-fail.happened:
	}
	h.note(eventlog.HostStopping, "the host is stopping")
	stopWork()
	work.Wait()
	ippServer.stop()
	closing, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	server.Close(closing)
	cancel()
	stopLast()
	infrastructure.Wait()
	return fail.get()
}

// dialogues says how the API holds dialogues.
func (h *Host) dialogues() dialogue.Config {
	return dialogue.Config{
		Modules: h.modules, Step: h.cfg.Limits.Call, Idle: dialogue.DefaultIdle,
		Log: func(monitor string, l supervisor.Line) {
			h.cfg.Logger.Debug("UI module output", "monitor", monitor, "level", l.Level, "text", l.Text)
		},
	}
}

func (h *Host) note(id eventlog.ID, text string) {
	h.events.Add(eventlog.Event{ID: id, Object: eventlog.Host, Text: text})
}

// awaitReady closes ready once the monitors have had their first start and the cluster has
// this node, unless the host is told to stop before, or fails.
func (h *Host) awaitReady(ctx context.Context, failed <-chan struct{}) {
	h.node.WaitStarted(ctx)
	if h.engine.awaitAdmitted(ctx, failed) && ctx.Err() == nil {
		close(h.ready)
	}
}

// endOrphans makes sure that no module of an earlier host still sends a document.
func (h *Host) endOrphans(ctx context.Context) error {
	found, err := h.orphans.End(ctx)
	for _, o := range found {
		h.events.Add(eventlog.Event{
			ID: eventlog.OrphanModuleEnded, Severity: eventlog.Warning, Object: eventlog.Monitor, Name: o.Name, Spooler: spooler.NodeName,
			Text: fmt.Sprintf("the module of monitor %s (pid %d) had outlived an earlier host and was ended", spool.Quote(o.Name), o.PID),
		})
	}
	if err != nil {
		return err
	}
	return h.cgroups.Sweep(ctx)
}

func (h *Host) listen(ctx context.Context) (listeners []net.Listener, httpListener net.Listener, retErr error) {
	defer func() {
		if retErr != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
		}
	}()
	if len(h.cfg.Listen) == 0 {
		return nil, nil, spoolerr.New(spoolerr.Invalid, 0, "no address to listen on; use --listen unix:PATH or --listen HOST:PORT")
	}
	var addrs []string
	for _, addr := range h.cfg.Listen {
		l, err := listen(ctx, addr)
		if err != nil {
			return listeners, nil, err
		}
		listeners, addrs = append(listeners, l), append(addrs, addrText(l))
	}
	if h.cfg.HTTP != "" {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.cfg.HTTP)
		if err != nil {
			return listeners, nil, listenError(h.cfg.HTTP, err)
		}
		httpListener = l
	}
	h.mu.Lock()
	h.addrs = addrs
	h.mu.Unlock()
	return listeners, httpListener, nil
}

// Close gives back what New opened. Run must have returned. It may be called again.
func (h *Host) Close() error {
	var errs []error
	errs = append(errs, h.closeConnections())
	if h.events != nil {
		errs = append(errs, h.events.Close())
	}
	if h.share != nil {
		errs = append(errs, h.share.Close())
	}
	errs = append(errs, h.cluster.Close(), h.engine.Close())
	if h.docs != nil {
		errs = append(errs, h.docs.Close())
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	// Once only: after the lock is given back, the directory is the next host's.
	if h.runtime != "" {
		errs = append(errs, os.RemoveAll(h.runtime))
		if h.users != "" {
			errs = append(errs, os.RemoveAll(h.users))
		}
		h.cgroups.Close()
		h.runtime = ""
	}
	if h.lock != nil {
		_ = h.lock.Close()
	}
	return errors.Join(errs...)
}

// failure keeps the first error of several goroutines.
type failure struct {
	once     sync.Once
	happened chan struct{}
	err      error
}

func newFailure() *failure { return &failure{happened: make(chan struct{})} }

func (f *failure) set(err error) {
	f.once.Do(func() {
		f.err = err
		close(f.happened)
	})
}

func (f *failure) get() error {
	select {
	case <-f.happened:
		return f.err
	default:
		return nil
	}
}
