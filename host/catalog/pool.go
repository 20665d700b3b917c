package catalog

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// group is a process with the instances in it: one, or with isolation "shared" one for
// each spooler of the host.
type group struct {
	monitor   Monitor
	instances instances
	handles   monitorwire.Handles
	ready     chan struct{} // closed when process or err is known
	process   *supervisor.Process
	err       error
	// unconverted: the module has no InitializePrintMonitor2.
	unconverted bool
	standsBy    bool
	count       int // guarded by the pool's mutex
}

// pool knows the processes that several spoolers share. The zero value, with launch set,
// is ready for use.
type pool struct {
	launch func(context.Context, Monitor, func(grpc.ServiceRegistrar), func(supervisor.Line)) (*supervisor.Process, Description, error)

	mu   sync.Mutex
	live map[string]*group // by folded monitor name; the one that newcomers join
}

// enter gives a process to put an instance into.
func (p *pool) enter(ctx context.Context, m Monitor, log func(supervisor.Line)) (*group, error) {
	if m.Options.Isolation != Shared {
		g := &group{monitor: m, ready: make(chan struct{}), count: 1}
		return g, p.fill(ctx, g, log)
	}
	key := spool.Fold(m.Name)
	p.mu.Lock()
	if g := p.live[key]; g != nil && g.serves(m) {
		g.count++
		p.mu.Unlock()
		return p.join(ctx, g)
	}
	g := &group{monitor: m, ready: make(chan struct{}), count: 1}
	if p.live == nil {
		p.live = make(map[string]*group)
	}
	p.live[key] = g
	p.mu.Unlock()
	err := p.fill(ctx, g, g.instances.said)
	if err != nil {
		p.retire(g)
	}
	return g, err
}

// fill launches a group's process. What it writes before it has an instance goes nowhere
// but to its tail.
func (p *pool) fill(ctx context.Context, g *group, log func(supervisor.Line)) error {
	defer close(g.ready)
	var said Description
	g.process, said, g.err = p.launch(ctx, g.monitor, g.instances.register, log)
	g.unconverted, g.standsBy = said.unconverted(), said.standsBy()
	return g.err
}

// join waits for a process that somebody else starts.
func (p *pool) join(ctx context.Context, g *group) (*group, error) {
	select {
	case <-g.ready:
		if g.err != nil {
			return nil, g.err
		}
		return g, nil
	case <-ctx.Done():
		if p.leave(g) { // who started it has left already
			g.process.Kill("nobody uses it any more")
			<-g.process.Released()
		}
		return nil, ctx.Err()
	}
}

// await waits until the monitor may be initialised.
func (g *group) await(ctx context.Context, owned <-chan struct{}) error {
	if owned == nil || g.standsBy {
		return nil
	}
	select {
	case <-owned:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serves says whether a process is one of this monitor as it is installed now, and not on
// its way out.
func (g *group) serves(m Monitor) bool {
	if !g.monitor.same(m) {
		return false
	}
	select {
	case <-g.ready:
	default:
		return true // it is being started
	}
	if g.err != nil {
		return false
	}
	select {
	case <-g.process.Done():
		return false
	default:
	}
	_, ending := g.process.EndedByHost()
	return !ending
}

// leave takes an instance out, and says whether it was the last.
func (p *pool) leave(g *group) (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.count--
	if g.count > 0 {
		return false
	}
	p.drop(g)
	return true
}

// retire lets nobody else join.
func (p *pool) retire(g *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(g)
}

// drop is retire with p.mu held.
func (p *pool) drop(g *group) {
	if key := spool.Fold(g.monitor.Name); p.live[key] == g {
		delete(p.live, key)
	}
}

func (p *pool) users(g *group) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return g.count
}

// Renew makes the next Bind of a shared monitor start a new process; the instances that
// there are keep the old one until they end.
func (c *Catalog) Renew(name string) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	delete(c.pool.live, spool.Fold(name))
}
