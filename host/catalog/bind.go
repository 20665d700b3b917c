package catalog

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/supervisor"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// Instance is a monitor bound to a spooler: its process and its handle. To a supervisor
// it is a life of the monitor.
type Instance struct {
	*monitorwire.Monitor
	Process *supervisor.Process

	token string
	root  *registry.Root
	group *group
	pool  *pool
	left  chan struct{} // closed when the instance has left a process that others share
	gone  chan struct{} // closed when nothing of the instance is left
}

var _ supervisor.Life = (*Instance)(nil)

// Revoke makes the instance's registry and callbacks refuse from now on.
func (i *Instance) Revoke() {
	i.group.instances.remove(i.token)
	_ = i.root.Close()
}

// Done is closed when the process has ended.
func (i *Instance) Done() <-chan struct{} { return i.Process.Done() }

// Err says, after Done, how the process ended.
func (i *Instance) Err() error { return i.Process.Err() }

// Released is closed when nothing of the instance is left: its process or, if others
// share that, its place in it.
func (i *Instance) Released() <-chan struct{} { return i.gone }

// Shared says how many instances the process serves.
func (i *Instance) Shared() int { return i.pool.users(i.group) }

// Stop ends the instance, after its Shutdown: the last one of a process ends the process
// in order. It returns when nothing of the instance is left.
func (i *Instance) Stop(ctx context.Context, reason string) {
	i.Revoke()
	if i.pool.leave(i.group) {
		i.Process.Stop(ctx, reason)
	} else {
		close(i.left)
	}
	<-i.gone
}

// Abandon ends an instance that did not start, or that does not answer its Shutdown. The
// process is ended with it if nobody else uses it, or if it hangs: then it is of no use
// to the others either.
func (i *Instance) Abandon(reason string, hangs bool) {
	i.Revoke()
	if i.pool.leave(i.group) || hangs {
		i.Process.End(reason)
	} else {
		close(i.left)
	}
	<-i.gone
}

func (i *Instance) awaitEnd() {
	defer close(i.gone)
	select {
	case <-i.left:
	case <-i.Process.Released():
	}
}

// For says whom an instance is for.
type For struct {
	Spooler string
	// Local is true for the node spooler.
	Local bool
	// Owned, if not nil, is closed when this host owns the spooler. A monitor that does not
	// stand by is not initialised before.
	Owned     <-chan struct{}
	Root      *registry.Root
	Callbacks wire.Callbacks
	// Log receives the module's output, Complain what was put right of its replies. The
	// output of a process that several spoolers share goes to all of them.
	Log      func(supervisor.Line)
	Complain func(text string)
}

// Bind launches a monitor for a spooler, or joins the process that others of the host
// share, and calls InitializePrintMonitor2.
func (c *Catalog) Bind(ctx context.Context, m Monitor, who For) (_ *Instance, retErr error) {
	g, err := c.pool.enter(ctx, m, who.Log)
	if err != nil {
		return nil, err
	}
	i := &Instance{
		Process: g.process, token: rand.Text(), root: who.Root, group: g, pool: &c.pool,
		left: make(chan struct{}), gone: make(chan struct{}),
	}
	go i.awaitEnd()
	defer func() {
		if retErr != nil {
			i.Abandon("its initialisation failed", errors.Is(retErr, spoolerr.TimedOut))
		}
	}()
	if i.Monitor, err = c.initialize(ctx, i, m, who); err != nil {
		return nil, err
	}
	return i, nil
}

// initialize makes the first call of an instance.
func (c *Catalog) initialize(ctx context.Context, i *Instance, m Monitor, who For) (bound *monitorwire.Monitor, err error) {
	if i.group.unconverted && !who.Local {
		return nil, unconvertedRefused(m, who.Spooler)
	}
	if err := i.group.await(ctx, who.Owned); err != nil {
		return nil, err
	}
	root, err := who.Root.Open(ctx)
	if err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(ctx, c.callTimeout(m))
	defer cancel()
	at := instance{root: who.Root, callbacks: who.Callbacks, log: who.Log}
	if i.group.unconverted {
		i.token, at.rootKey = "", root // it knows of no handles
		i.group.instances.add(i.token, at)
		bound, err = monitorwire.InitializeV1(call, i.Process.Conn(), monitorwire.InitV1{
			RegistryRoot: who.Root.Path(), Complain: who.Complain,
		})
		return bound, spoolerr.Wrap(err, "InitializePrintMonitor of monitor %s failed", spool.Quote(m.Name))
	}
	i.group.instances.add(i.token, at)
	bound, err = monitorwire.Initialize(call, i.Process.Conn(), monitorwire.Init{
		Token: i.token, Root: uint64(root), MonitorName: m.Name, ServerName: who.Spooler, Local: who.Local,
		Handles: &i.group.handles, SendDocument: i.Process.SendDocument, Complain: who.Complain,
	})
	return bound, spoolerr.Wrap(err, "InitializePrintMonitor2 of monitor %s failed", spool.Quote(m.Name))
}

func unconvertedRefused(m Monitor, server string) error {
	return spoolerr.New(spoolerr.Unsupported, spoolerr.CodeNotSupported,
		"monitor %s is not converted for clusters: it has InitializePrintMonitor but not InitializePrintMonitor2, and cannot serve the cluster spooler %s; "+
			"ask its vendor for a module that serves %s, and install it with spoolhost monitor upgrade",
		spool.Quote(m.Name), spool.Quote(server), wire.ServiceMonitorV2)
}

// launch starts a process of a monitor and makes sure that it is one.
func (c *Catalog) launch(ctx context.Context, m Monitor, services func(grpc.ServiceRegistrar), log func(supervisor.Line)) (*supervisor.Process, Description, error) {
	p, err := c.start(ctx, m, services, log)
	if err != nil {
		return nil, Description{}, err
	}
	d, err := c.describe(ctx, p, m)
	if err == nil {
		err = checkMonitor(d, m)
	}
	if err != nil {
		p.Kill("it is not what was installed")
		<-p.Released()
		return nil, d, err
	}
	return p, d, nil
}

func (c *Catalog) start(ctx context.Context, m Monitor, services func(grpc.ServiceRegistrar), log func(supervisor.Line)) (*supervisor.Process, error) {
	incarnation, err := c.incarnations.next(ctx, c.cfg.Store)
	if err != nil {
		return nil, err
	}
	return c.cfg.Env.Start(ctx, supervisor.Spec{
		Name: m.Name, Path: m.Path, Digest: m.Digest, Args: m.Args, Env: m.Env, Incarnation: incarnation,
		Limits: m.Options.Limits.Over(c.cfg.Limits), Grace: m.Options.KillGrace,
	}, services, log)
}

// Description is what a module says of itself.
type Description struct {
	Kind, Name, Version    string
	Services, Capabilities []string
}

func (c *Catalog) describe(ctx context.Context, p *supervisor.Process, m Monitor) (Description, error) {
	ctx, cancel := context.WithTimeout(ctx, c.callTimeout(m))
	defer cancel()
	r, err := pluginv1.NewPluginClient(p.Conn()).Describe(ctx, &pluginv1.DescribeRequest{})
	if err != nil {
		return Description{}, spoolgrpc.FromStatus(err)
	}
	const most = 220
	return Description{
		Kind: text(r.GetKind(), most), Name: text(r.GetName(), most), Version: text(r.GetVersion(), most),
		Services: r.GetServices(), Capabilities: r.GetCapabilities(),
	}, nil
}

// text makes a module's text fit for records: printable, valid, and at most so many bytes.
func text(s string, most int) string {
	s = spoolgrpc.Clean(s)
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

// describeOnce launches a module only to ask what it is.
func (c *Catalog) describeOnce(ctx context.Context, m Monitor) (Description, error) {
	p, err := c.start(ctx, m, (&instances{}).register, nil)
	if err != nil {
		return Description{}, err
	}
	defer func() {
		p.Kill("it was only asked to describe itself")
		<-p.Released()
	}()
	d, err := c.describe(ctx, p, m)
	if err != nil {
		return d, err
	}
	return d, checkMonitor(d, m)
}

// callTimeout bounds a control call to a monitor.
func (c *Catalog) callTimeout(m Monitor) time.Duration {
	return cmp.Or(m.Options.CallTimeout, c.cfg.CallTimeout)
}

// unconverted says that a monitor serves v1 only.
func (d Description) unconverted() bool { return !slices.Contains(d.Services, wire.ServiceMonitorV2) }

// standsBy says that a monitor may be initialised before its host owns the spooler.
func (d Description) standsBy() bool { return slices.Contains(d.Capabilities, monitor.CapStandBy) }

// checkMonitor refuses a module that is no port monitor, and names what is missing.
func checkMonitor(d Description, m Monitor) error {
	if d.Kind != wire.KindMonitor {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor,
			"module %s is of kind %s, not a port monitor", m.Path, spool.Quote(d.Kind))
	}
	if d.unconverted() && !slices.Contains(d.Services, wire.ServiceMonitorV1) {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor,
			"module %s serves neither %s (InitializePrintMonitor2) nor %s; rebuild it with the current sdk", m.Path, wire.ServiceMonitorV2, wire.ServiceMonitorV1)
	}
	if d.unconverted() && m.Options.Isolation == Shared {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeNotSupported,
			"module %s is not converted (no InitializePrintMonitor2): it has no handles, and cannot share a process; use --isolation spooler", m.Path)
	}
	return nil
}
