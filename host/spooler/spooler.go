// Package spooler is a spooler: its printers, the ports of its monitors, and the
// scheduler that brings jobs to free ports. It launches each monitor in a process of its
// own, opens ports, prints, notices crashes and hangs, and shuts everything down in order.
//
// The front ends, cluster and the composition root import it. It does not know who is
// asking: access is the front ends' business.
//
// No lock is held across a call to a module or to the store. A port is reserved instead:
// whoever holds the reservation may open, close or print, and nobody else.
package spooler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/loader"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/host/store"
)

// NodeName is the name of the node's own spooler.
const NodeName = "node"

// Config is what a spooler needs.
type Config struct {
	// Name is the server name.
	Name string
	// Node is the node of a cluster that it is on; empty if it is in none.
	Node string
	// Local is true for the node spooler.
	Local     bool
	Catalog   *catalog.Catalog
	Registry  *registry.Registry
	Queue     *job.Queue
	Documents *document.Store
	Events    *eventlog.Log
	Logger    hclog.Logger
	Limits    portmon.Limits
	Retention job.Retention
	// RegistryLimit bounds what one monitor may store, in bytes; 0 is the default.
	RegistryLimit int64
	// NewLoader makes what the spooler calls its Point and Print modules and drivers by; Share
	// has their files. Nil: there are none.
	NewLoader func(spooler string, hive *registry.Hive) *loader.Loader
	Share     *share.Share
	// RegistryWrites is how many changes a second one monitor may make for long; 0 is any.
	RegistryWrites int
	// Guarded, if not nil, is told of every process of a module before it can send anything,
	// and when it has ended.
	Guarded func(pid int, running bool)
	// Watcher is told what happens, for figures; nil is nobody.
	Watcher Watcher
	Now     func() time.Time
}

// Watcher is told what happens to jobs, and must not block.
type Watcher interface {
	// Accepted is told how long it took to make the record of a spooled document durable.
	Accepted(took time.Duration)
	// Ended is told how an attempt came out.
	Ended(printer string, r job.Result)
	// Gone is told that a printer was deleted.
	Gone(printer string)
}

type nobody struct{}

func (nobody) Accepted(time.Duration)   {}
func (nobody) Ended(string, job.Result) {}
func (nobody) Gone(string)              {}

// Spooler is one spooler. New makes it, Run brings it online.
type Spooler struct {
	cfg   Config
	hive  *registry.Hive
	began time.Time

	admin sync.Mutex // serialises changes of printers' records; never held with a module

	mu       sync.Mutex
	stopping bool
	printers map[string]*printer // by folded name
	standard string              // the printer that was made the default, or empty
	ports    map[string]*port    // by folded name
	units    map[string]*unit    // by folded monitor name
	provider *unit               // whose ports are those of connections; nil if there are none
	pending  map[string]bool     // names of ports being added or deleted
	// receiving counts the documents of incoming jobs that are under way.
	receiving map[uint64]int
	// receptions are the documents that may print while they are received, by their ids.
	receptions map[string]*reception
	// portLimits is what operators said of ports, by folded name.
	portLimits map[string]portmon.Limits
	running    map[uint64]*attempt
	loader     *loader.Loader // nil if there are no modules
	// toldSoon has the printers whose modules will be told of a change, copyTrouble what was
	// last said of a CopyFiles key.
	toldSoon    map[string]bool
	copyTrouble map[string]string

	// Of a cluster spooler, see owned.go.
	suspended, killed bool
	intake            bool
	configured        []string      // monitors that have settings here
	early             []*unit       // see ahead.go; those that Run has not taken
	owned             chan struct{} // closed by Settle
	recovery          *rate.Limiter // see recovery.go

	launched   chan struct{} // closed when Run has begun to start every monitor
	risen      chan struct{} // closed when no dormant monitor is to be woken for a printer's port
	ending     chan struct{} // closed when Run has begun to end
	background sync.WaitGroup
	runCtx     context.Context
}

// errShutdown stops documents that did not finish within the resource time-out.
var errShutdown = errors.New("its monitor was stopped before the document was finished")

// New is Load and Settle.
func New(ctx context.Context, cfg Config) (*Spooler, error) {
	s, err := Load(ctx, cfg)
	if err == nil {
		err = s.Settle(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Load reads the spooler's printers. It starts nothing and writes nothing: a node may do so
// before it owns the spooler.
func Load(ctx context.Context, cfg Config) (*Spooler, error) {
	s := newSpooler(cfg)
	if !cfg.Local {
		if err := s.loadConfigured(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.loadPrinters(ctx); err != nil {
		return nil, err
	}
	if err := s.loadPortLimits(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func newSpooler(cfg Config) *Spooler {
	if cfg.Watcher == nil {
		cfg.Watcher = nobody{}
	}
	s := &Spooler{
		cfg: cfg, hive: cfg.Registry.Hive(cfg.Name), began: cfg.Now(),
		printers: make(map[string]*printer), ports: make(map[string]*port), units: make(map[string]*unit),
		pending: make(map[string]bool), portLimits: make(map[string]portmon.Limits),
		running: make(map[uint64]*attempt), receiving: make(map[uint64]int),
		receptions: make(map[string]*reception),
		toldSoon:   make(map[string]bool), copyTrouble: make(map[string]string),
		recovery: newRecovery(),
		launched: make(chan struct{}), risen: make(chan struct{}), ending: make(chan struct{}), owned: make(chan struct{}),
	}
	if cfg.NewLoader != nil {
		s.loader = cfg.NewLoader(cfg.Name, s.hive)
	}
	return s
}

// Settle ends the attempts that were running when the host died, or the owner before: the
// printer's policy decides what becomes of their jobs. From now on this host has the spooler;
// it is called once, before Run.
func (s *Spooler) Settle(ctx context.Context) error {
	s.began = s.cfg.Now()
	if err := s.endReceived(ctx); err != nil {
		return err
	}
	for _, j := range s.cfg.Queue.Interrupted() {
		r := job.Result{Outcome: job.Interrupted, Lost: true, Error: "the host ended while the document was being sent"}
		after, err := s.cfg.Queue.End(ctx, j.ID, r, s.rules(j.Printer))
		if err != nil {
			return err
		}
		s.afterEnd(ctx, after, r, false)
	}
	close(s.owned)
	return nil
}

// Run brings the spooler online and blocks until ctx ends and everything has been shut
// down in order: no new documents, running ones finish or fail within the resource
// time-out, ports closed, monitors shut down.
func (s *Spooler) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	s.mu.Lock()
	s.runCtx = life
	s.mu.Unlock()
	for _, m := range s.cfg.Catalog.List() {
		if s.needed(m.Name) {
			s.startUnit(ctx, m)
		}
	}
	s.startProvider()
	s.background.Go(s.dismissEarly)
	close(s.launched)
	s.background.Go(func() { s.seek(ctx) })
	s.housekeeping(ctx)
	s.mu.Lock()
	s.stopping = true
	close(s.ending)
	units := make([]*unit, 0, len(s.units))
	for _, u := range s.units {
		units = append(units, u)
	}
	s.stopTimers()
	s.mu.Unlock()
	for _, u := range units {
		u.cancel() // ends already with ctx, except for units that were started later
	}
	for _, u := range units {
		<-u.done
	}
	s.stopProvider(life)
	s.background.Wait()
	if s.loader != nil {
		s.loader.Close()
	}
	return nil
}

// housekeeping expires finished jobs until ctx ends.
func (s *Spooler) housekeeping(ctx context.Context) {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		s.expire(ctx)
		s.abandonIdle(ctx)
		if err := s.cfg.Documents.Trim(); err != nil {
			s.cfg.Logger.Warn("cannot give space back", "error", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Spooler) expire(ctx context.Context) {
	_, docs, err := s.cfg.Queue.Expire(ctx, s.cfg.Retention)
	for _, d := range docs {
		s.removeDocument(ctx, d)
	}
	if err != nil && ctx.Err() == nil {
		s.cfg.Logger.Warn("cannot expire finished jobs", "error", err)
	}
}

// unrecorded removes a document whose record was refused. If nobody can tell whether it
// was, it stays: the job may be there. The next life's sweep removes it if it is not.
func (s *Spooler) unrecorded(ctx context.Context, id string, why error) {
	if !errors.Is(why, store.ErrUnknown) {
		s.removeDocument(ctx, id)
	}
}

// removeDocuments removes what a job no longer needs.
func (s *Spooler) removeDocuments(ctx context.Context, j *job.Job) {
	for _, p := range j.Parts() {
		s.cut(p.ID)
		s.removeDocument(ctx, p.ID)
	}
}

func (s *Spooler) removeDocument(ctx context.Context, id string) {
	if err := s.cfg.Documents.Remove(context.WithoutCancel(ctx), id); err != nil {
		s.cfg.Logger.Warn("cannot remove a document", "document", id, "error", err)
	}
}

// goBackground runs fn on a goroutine that Run waits for; s.mu is held. It does nothing
// once the spooler is stopping.
func (s *Spooler) goBackground(fn func(ctx context.Context)) bool {
	if s.stopping || s.runCtx == nil {
		return false
	}
	ctx := s.runCtx
	s.background.Add(1)
	go func() {
		defer s.background.Done()
		fn(ctx)
	}()
	return true
}

// Name is the server name.
func (s *Spooler) Name() string { return s.cfg.Name }

// Queue gives the spooler's jobs for reading.
func (s *Spooler) Queue() *job.Queue { return s.cfg.Queue }

// Hive gives the spooler's registry.
func (s *Spooler) Hive() *registry.Hive { return s.hive }

// Local says whether this is the node's own spooler.
func (s *Spooler) Local() bool { return s.cfg.Local }
