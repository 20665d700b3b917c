package catalog

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/supervisor"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// Instance is a monitor bound to a spooler: its process and its handle.
type Instance struct {
	*monitorwire.Monitor
	Process *supervisor.Process

	token     string
	instances *instances
	root      *registry.Root
}

// Revoke makes the instance's registry and callbacks refuse from now on.
func (i *Instance) Revoke() {
	i.instances.remove(i.token)
	_ = i.root.Close()
}

// For says whom an instance is for.
type For struct {
	Spooler string
	// Local is true for the node spooler.
	Local     bool
	Root      *registry.Root
	Callbacks wire.Callbacks
	// Log receives the module's output, Complain what was put right of its replies.
	Log      func(supervisor.Line)
	Complain func(text string)
}

// Bind launches a monitor for a spooler and calls InitializePrintMonitor2.
func (c *Catalog) Bind(ctx context.Context, m Monitor, who For) (_ *Instance, retErr error) {
	held := &instances{}
	p, err := c.launch(ctx, m, held.register, who.Log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if retErr != nil {
			p.Kill("its initialisation failed")
			<-p.Released()
		}
	}()
	if err := c.checkKind(ctx, p, m); err != nil {
		return nil, err
	}
	handle, err := who.Root.Open(ctx)
	if err != nil {
		return nil, err
	}
	i := &Instance{Process: p, token: rand.Text(), instances: held, root: who.Root}
	held.add(i.token, instance{root: who.Root, callbacks: who.Callbacks})
	call, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	defer cancel()
	i.Monitor, err = monitorwire.Initialize(call, p.Conn(), monitorwire.Init{
		Token: i.token, Root: uint64(handle), MonitorName: m.Name, ServerName: who.Spooler, Local: who.Local, Complain: who.Complain,
	})
	if err != nil {
		i.Revoke()
		return nil, spoolerr.Wrap(err, "InitializePrintMonitor2 of monitor %s failed", spool.Quote(m.Name))
	}
	return i, nil
}

func (c *Catalog) launch(ctx context.Context, m Monitor, services func(grpc.ServiceRegistrar), log func(supervisor.Line)) (*supervisor.Process, error) {
	incarnation, err := c.nextIncarnation(ctx)
	if err != nil {
		return nil, err
	}
	return c.cfg.Env.Start(ctx, supervisor.Spec{
		Name: m.Name, Path: m.Path, Digest: m.Digest, Args: m.Args, Env: m.Env, Incarnation: incarnation,
	}, services, log)
}

// nextIncarnation gives a number that no process had before, whatever happens to the host.
func (c *Catalog) nextIncarnation(ctx context.Context) (uint64, error) {
	const key = "catalog/incarnation"
	var n uint64
	err := c.cfg.Store.Update(ctx, func(tx store.Tx) error {
		data, err := tx.Get(key)
		if err != nil && !errors.Is(err, spoolerr.NotFound) {
			return err
		}
		n = 1
		switch {
		case len(data) == 8:
			n = binary.BigEndian.Uint64(data) + 1
		case err == nil: // to begin anew would give numbers a second time
			return spoolerr.New(spoolerr.Corrupt, 0, "the number of the last module process, %s, is damaged in the database; restore it from a backup", spool.Quote(key))
		}
		return tx.Put(key, binary.BigEndian.AppendUint64(nil, n))
	})
	return n, err
}

// Description is what a module says of itself.
type Description struct {
	Kind, Name, Version    string
	Services, Capabilities []string
}

func (c *Catalog) describe(ctx context.Context, p *supervisor.Process) (Description, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
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
	p, err := c.launch(ctx, m, (&instances{}).register, nil)
	if err != nil {
		return Description{}, err
	}
	defer func() {
		p.Kill("it was only asked to describe itself")
		<-p.Released()
	}()
	d, err := c.describe(ctx, p)
	if err != nil {
		return d, err
	}
	return d, checkMonitor(d, m)
}

func (c *Catalog) checkKind(ctx context.Context, p *supervisor.Process, m Monitor) error {
	d, err := c.describe(ctx, p)
	if err != nil {
		return err
	}
	return checkMonitor(d, m)
}

// checkMonitor refuses a module that is no port monitor, and names what is missing.
func checkMonitor(d Description, m Monitor) error {
	if d.Kind != wire.KindMonitor {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor,
			"module %s is of kind %s, not a port monitor", m.Path, spool.Quote(d.Kind))
	}
	if !slices.Contains(d.Services, wire.ServiceMonitorV2) {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor,
			"module %s does not serve %s (InitializePrintMonitor2); rebuild it with the current sdk", m.Path, wire.ServiceMonitorV2)
	}
	return nil
}
