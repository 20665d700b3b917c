package catalog

import (
	"context"
	"crypto/rand"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/driverwire"
	"github.com/spoolhost/spoolhost/sdk/wire/pointprintwire"
)

// Loaded is a Point and Print module or a driver's event module bound to a spooler: its
// process and what it may ask of the host.
type Loaded struct {
	Module  Module
	Process *supervisor.Process
	// PointPrint is the module's side if it is of kind pointprint, Driver if of kind driver.
	PointPrint *pointprintwire.Module
	Driver     *driverwire.Driver

	root     *registry.Root
	printers printers
}

// Load launches a module for a spooler and initialises it. root is where it keeps what is
// its own.
func (s *Modules) Load(ctx context.Context, m Module, spooler string, root *registry.Root, log func(supervisor.Line)) (_ *Loaded, retErr error) {
	l := &Loaded{Module: m, root: root}
	own := &instances{}
	p, err := s.Start(ctx, m, func(r grpc.ServiceRegistrar) {
		own.register(r)
		l.printers.register(r)
	}, log)
	if err != nil {
		return nil, err
	}
	l.Process = p
	defer func() {
		if retErr != nil {
			_ = root.Close()
			p.End("its initialisation failed")
			<-p.Released()
		}
	}()
	key, err := root.Open(ctx)
	if err != nil {
		return nil, err
	}
	token := rand.Text()
	own.add(token, instance{root: root, callbacks: noCallbacks{}, log: log})
	ctx, cancel := context.WithTimeout(ctx, s.catalog.cfg.CallTimeout)
	defer cancel()
	if m.Kind == wire.KindDriver {
		l.Driver, err = driverwire.Initialize(ctx, p.Conn(), driverwire.Init{Token: token, Root: uint64(key), ModuleName: m.Name, ServerName: spooler})
	} else {
		l.PointPrint, err = pointprintwire.Initialize(ctx, p.Conn(), pointprintwire.Init{Token: token, Root: uint64(key), ModuleName: m.Name, ServerName: spooler})
	}
	return l, spoolerr.Wrap(err, "the initialisation of module %s failed", spool.Quote(m.Name))
}

// Lend gives the module a printer for the time of a call, and the token that stands for it.
func (l *Loaded) Lend(p printerdata.Printer) (token string, giveBack func()) {
	return l.printers.lend(p)
}

// Close ends the process in order and waits until nothing of it is left.
func (l *Loaded) Close(ctx context.Context, reason string) {
	_ = l.root.Close()
	l.Process.Stop(ctx, reason)
	<-l.Process.Released()
}

// noCallbacks is for modules that have no jobs and no ports.
type noCallbacks struct{}

func (noCallbacks) SetJob(context.Context, uint64, spool.JobControl) error {
	return notAMonitor("SetJob")
}

func (noCallbacks) SetPort(context.Context, string, spool.PortStatus) error {
	return notAMonitor("SetPort")
}

func notAMonitor(call string) error {
	return spoolerr.New(spoolerr.Denied, 0, "%s is for port monitors; this module is none", call)
}
