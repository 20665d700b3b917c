package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// DefaultTTL is how long a lease lives that is not renewed.
const DefaultTTL = 5 * time.Second

// MinTTL is the shortest lease: below it a busy machine would lose it for nothing.
const MinTTL = 2 * time.Second

// Instance is a spooler that this node owns.
type Instance interface {
	// Run brings it online and blocks until ctx ends and all has been shut down in order, or
	// until it was killed.
	Run(ctx context.Context) error
	// WaitStarted waits until it knows how it stands, or ctx ends.
	WaitStarted(ctx context.Context)
	// Suspend lets no document start, or lets them start again.
	Suspend(on bool)
	// Kill ends the processes of its modules at once; when it returns they have been ended.
	Kill(reason string)
	// Report says how it does. Waits says what a shutdown waits for; empty for nothing.
	Report() Report
	Waits() string
	// Close gives back what it has. Run must have returned, if it was called.
	Close() error
}

// Ownership is what an instance is opened with.
type Ownership struct {
	Spooler Spooler
	Epoch   uint64
	// Store lets the owner write, and nobody once it is not the owner.
	Store store.Store
	// Ahead is what Prepare has made, nil for nothing. It is Open's, also if that fails.
	Ahead Ahead
}

// Ahead is a spooler that this node has got ready before it owned it.
type Ahead interface {
	// Discard gives it up: the node does not own the spooler.
	Discard()
}

// Config is what a node needs.
type Config struct {
	Name, Address, Version string
	Store                  store.Store
	Leases                 Leases
	// TTL is the lease's; 0 is DefaultTTL.
	TTL time.Duration
	// Open makes an instance, which does not run yet.
	Open func(ctx context.Context, o Ownership) (Instance, error)
	// Prepare does what can be done for a spooler that this node is likely to own soon. It
	// writes nothing and sends nothing. Nil: everything waits for Open.
	Prepare func(ctx context.Context, s Spooler) (Ahead, error)
	// Wipe removes all that a deleted spooler has outside "cluster/".
	Wipe func(ctx context.Context, o Ownership) error
	// Monitors are the digests of the node's monitors by name, or "builtin".
	Monitors func() map[string]string
	// Unfetched says why the node does not have monitors that are stored in the cluster, by
	// name; nil is for none.
	Unfetched func() map[string]string
	// Storage says why the node cannot write to the shared directory; empty or nil is for
	// nothing.
	Storage func() string
	Events  *eventlog.Log
	Logger  hclog.Logger
	// Guard is the command of the process that ends modules when this one cannot, see
	// ServeGuard; empty is none.
	Guard []string
	// Clock is the monotonic clock; nil is the machine's.
	Clock func() time.Duration
	Now   func() time.Time
}

// Node is this host as a member of a cluster. New makes it, Run joins and leaves.
type Node struct {
	cfg     Config
	tenancy *tenancy
	posts   chan func() // run on the loop
	loop    context.Context

	work sync.WaitGroup

	beats map[string]heard // of listen
	heard map[string]heard // of the loop

	complaints complaints

	mu      sync.Mutex
	view    View
	known   bool          // the view has been read
	seen    chan struct{} // closed and replaced whenever the view changes
	local   map[string]*local
	leaving bool
}

// local is one spooler as this node has it. All but instance is the loop's.
type local struct {
	name   string // folded
	owner  owner
	own    Owner         // what it is owned by, while it is
	over   uint64        // the epoch that has ended here; views that are behind still have it
	since  time.Duration // when it was first seen without an owner; 0: it has one
	told   Report        // what was last said of it
	saying bool          // somebody is about to
	again  bool          // and then has to look again
	// ahead is what is being got ready here; nil for nothing. After one that was in vain the
	// next does not begin before a while.
	ahead     *ahead
	aheadFrom time.Duration

	instance Instance // guarded by the node's mutex
	cancel   context.CancelFunc
	ran      *ending // of the instance
	ending   *ending // ran, if it is being ended in order or was
}

// New makes a node. It starts nothing.
func New(cfg Config) (*Node, error) {
	if cfg.TTL == 0 {
		cfg.TTL = DefaultTTL
	}
	if cfg.TTL < MinTTL {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "a lease of %v is too short; use at least %v", cfg.TTL, MinTTL)
	}
	if cfg.Clock == nil {
		cfg.Clock = monotonic
	}
	n := &Node{cfg: cfg, posts: make(chan func(), 64), seen: make(chan struct{}), local: make(map[string]*local)}
	n.tenancy = newTenancy(cfg.TTL, cfg.Leases, cfg.Clock)
	n.tenancy.guard = NewGuard(cfg.Guard, n.warn)
	n.tenancy.member, n.tenancy.act, n.tenancy.warn = n.member, n.fenced, n.warn
	n.tenancy.beatKey = func(session string) string { return beatKey(cfg.Name, session) }
	return n, nil
}

// Run is a member of the cluster until ctx ends; then it gives its spoolers away in order,
// and leaves.
func (n *Node) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	n.loop = life
	watch, beats := n.cfg.Store.Watch(prefix), n.cfg.Store.Watch(beatPrefix)
	var helpers sync.WaitGroup
	defer func() {
		for _, l := range n.local {
			n.giveUp(l)
		}
		end()
		watch.Close()
		beats.Close()
		helpers.Wait()
		n.work.Wait()
		n.tenancy.guard.Close()
	}()
	leased, leave := context.WithCancel(life)
	defer leave()
	helpers.Go(func() { n.tenancy.run(leased) })
	helpers.Go(func() { n.follow(life, watch) })
	helpers.Go(func() { n.listen(life, beats) })
	tick, silence := time.NewTicker(n.cfg.TTL/10), time.NewTicker(n.cfg.TTL/100)
	defer tick.Stop()
	defer silence.Stop()
	stopping := ctx.Done()
	for {
		select {
		case fn := <-n.posts:
			fn()
		case <-tick.C:
			n.consider()
		case <-silence.C: // what follows from a death need not wait for the next look
			n.bury()
			n.foresee()
		case <-stopping:
			stopping = nil
			n.startLeaving()
		}
		if stopping == nil && n.idle() {
			return nil
		}
	}
}

// post runs fn on the loop, unless the node has ended.
func (n *Node) post(fn func()) {
	select {
	case n.posts <- fn:
	case <-n.loop.Done():
	}
}

// follow keeps the view up to date.
func (n *Node) follow(ctx context.Context, watch *store.Watcher) {
	for {
		var v View
		err := n.cfg.Store.View(ctx, func(tx store.Tx) (err error) {
			v, err = readView(tx)
			return err
		})
		if err == nil {
			n.post(func() { n.look(v) })
			if _, err = watch.Next(ctx); err == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		n.warn("the state of the cluster cannot be read", err)
		t := time.NewTimer(n.cfg.TTL / 5)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// look takes over a new view.
func (n *Node) look(v View) {
	n.mu.Lock()
	n.view, n.known = v, true
	close(n.seen)
	n.seen = make(chan struct{})
	n.mu.Unlock()
	n.consider()
	n.foresee()
}

// View gives the cluster as this node knows it, and a channel that is closed when that
// changes.
func (n *Node) View() (View, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.view, n.seen
}

// Guarded tells of a process group that works for a cluster spooler, and when it has ended.
func (n *Node) Guarded(pid int, running bool) {
	if running {
		n.tenancy.guard.Add(pid)
	} else {
		n.tenancy.guard.Remove(pid)
	}
}

// Name is the node's name.
func (n *Node) Name() string { return n.cfg.Name }

// Instances gives the spoolers that are open here.
func (n *Node) Instances() []Instance {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []Instance
	for _, l := range n.local {
		if l.instance != nil {
			list = append(list, l.instance)
		}
	}
	return list
}

// member gives the node's record.
func (n *Node) member(session string) (key string, value []byte) {
	n.mu.Lock()
	leaving := n.leaving
	n.mu.Unlock()
	m := Member{
		Name: n.cfg.Name, Session: session, Address: n.cfg.Address, Version: n.cfg.Version, Leaving: leaving, Monitors: n.cfg.Monitors(),
	}
	if n.cfg.Unfetched != nil {
		m.Unfetched = n.cfg.Unfetched()
	}
	if n.cfg.Storage != nil {
		m.Storage = n.cfg.Storage()
	}
	return memberKey(n.cfg.Name), encode(m)
}

// fenced does what the fence demands, on the goroutine of the lease: nothing is faster.
func (n *Node) fenced(a fenceAction) {
	n.mu.Lock()
	var running []Instance
	for _, l := range n.local {
		if l.instance != nil {
			running = append(running, l.instance)
		}
	}
	n.mu.Unlock()
	if a == killAll {
		n.cfg.Logger.Error("this node has lost its lease; the modules of its cluster spoolers are killed", "spoolers", len(running))
		var all sync.WaitGroup
		for _, i := range running {
			all.Go(func() { i.Kill("the lease of the node ran out") })
		}
		all.Wait()
		n.note(eventlog.NodeFenced, eventlog.Error, "the lease of this node was not renewed in time: its cluster spoolers were ended before another node could take them")
		n.post(func() {
			for _, l := range n.local {
				n.step(l, ownerEvent{what: onFenced})
			}
		})
		return
	}
	for _, i := range running {
		i.Suspend(a == suspendAll)
	}
	if a == resumeAll && n.complaints.forget() {
		n.cfg.Logger.Info("this node has a lease again", "node", n.cfg.Name)
	}
}

func (n *Node) startLeaving() {
	n.mu.Lock()
	n.leaving = true
	n.mu.Unlock()
	n.tenancy.refresh()
	n.consider()
}

// idle says that nothing is open here.
func (n *Node) idle() bool {
	for _, l := range n.local {
		if l.owner.phase != away {
			return false
		}
	}
	return true
}

// warn says what went wrong, and says the same again once a minute at most.
func (n *Node) warn(text string, err error) {
	if n.complaints.may(fmt.Sprint(text, err), n.cfg.Clock()) {
		n.cfg.Logger.Warn(text, "node", n.cfg.Name, "error", err)
	}
}

func (n *Node) note(id eventlog.ID, severity eventlog.Severity, text string) {
	n.cfg.Events.Add(eventlog.Event{ID: id, Severity: severity, Object: eventlog.Host, Name: n.cfg.Name, Text: text})
}

func (n *Node) noteSpooler(id eventlog.ID, severity eventlog.Severity, name, text string) {
	n.cfg.Events.Add(eventlog.Event{ID: id, Severity: severity, Object: eventlog.Spooler, Name: name, Spooler: name, Text: text})
}

// display gives a spooler's name as it was created.
func (v View) display(folded string) string {
	if s, ok := v.Spoolers[spool.Fold(folded)]; ok {
		return s.Name
	}
	return folded
}
