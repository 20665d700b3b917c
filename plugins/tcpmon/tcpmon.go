package tcpmon

import (
	"context"

	"github.com/spoolhost/spoolhost/plugins/internal/lpr"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/plugins/internal/tcpxcv"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// What the module calls itself.
const (
	Name    = "Standard TCP/IP Port"
	Version = "1.0.0"
)

// instance is the monitor for one spooler.
type instance struct {
	init     monitor.Init
	book     *ports.Book
	watchers *watchers
}

// Initialize is InitializePrintMonitor2.
func Initialize(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
	m := &instance{init: init, book: ports.NewBook(init.Registry, codec{})}
	m.watchers = newWatchers(init.Logger, m.settings)
	return m, nil
}

// EnumPorts lists the ports in the registry.
func (m *instance) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	if err := m.book.Alive(); err != nil {
		return nil, err
	}
	return m.book.Enum(ctx)
}

// OpenPort finds the port and checks its settings. It does not connect: StartDoc does,
// so that a printer is held only while it prints.
func (m *instance) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	var s settings
	check := func(ctx context.Context, name string) (err error) {
		s, err = m.settings(ctx, name)
		return err
	}
	p, err := m.book.OpenPort(ctx, m.init, name, m.open, check)
	if err != nil {
		return nil, err
	}
	p.Unsized = true
	return &port{p, m, m.watchers.watch(name, p.Condition(), s)}, nil
}

// port is an open port whose printer may talk back.
type port struct {
	*ports.Port
	instance *instance
	watcher  *watcher
}

// Close gives the port back.
func (p *port) Close(ctx context.Context) error {
	p.instance.watchers.unwatch(p.watcher)
	return p.Port.Close(ctx)
}

// Read gives what the printer said during the document.
func (p *port) Read(_ context.Context, b []byte) (int, error) {
	job, err := p.Slot.Current()
	if err != nil {
		return 0, err
	}
	l, ok := job.Target.(*link)
	if !ok {
		return 0, nil // by LPR a printer answers steps, and says nothing else
	}
	return l.back.Take(b), nil
}

// open connects. The settings are read now, so that ConfigPort takes effect with the
// next document.
func (m *instance) open(ctx context.Context, name string, doc spool.Doc) (ports.Target, error) {
	s, err := m.settings(ctx, name)
	if err != nil {
		return nil, err
	}
	t, err := m.target(ctx, s, name, doc)
	return t, spoolerr.Wrap(err, "port %s", spool.Quote(name))
}

func (m *instance) target(ctx context.Context, s settings, name string, doc spool.Doc) (ports.Target, error) {
	if s.protocol == tcpxcv.ProtocolLPR {
		return lpr.Open(ctx, s.lpr(m.init.ServerName), doc)
	}
	return connect(ctx, s, doc.Size, m.init.Logger.With("port", name, "job", doc.JobID))
}

// XcvOpenPort opens a configuration channel.
func (m *instance) XcvOpenPort(ctx context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	config := ports.Config{UI: "tcpmonui", DecodePort: decodePort, DecodeName: portconfig.DecodeName, More: m.commands()}
	ch, err := m.book.OpenChannel(ctx, config, object, granted)
	if err != nil {
		return nil, err
	}
	return ch, nil
}

// Shutdown drops the documents of this instance and forgets its ports.
func (m *instance) Shutdown(context.Context) error {
	m.book.Shutdown()
	m.watchers.shutdown()
	return nil
}

// settings reads a port's settings as they are now.
func (m *instance) settings(ctx context.Context, name string) (settings, error) {
	c, err := m.book.Config(ctx, name)
	if err != nil {
		return settings{}, err
	}
	return parse(c)
}
