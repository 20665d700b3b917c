package localmon

import (
	"context"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// What the module calls itself.
const (
	Name    = "Local Port"
	Version = "1.0.0"
)

// instance is the monitor for one spooler.
type instance struct {
	init  monitor.Init
	book  *ports.Book
	fence fence
}

// New gives the InitializePrintMonitor2 of a module that may write below the allowed
// directories and nowhere else. Each is an absolute path. With none, ports can be
// listed and deleted, but neither added nor printed to.
func New(allowed []string) monitor.Initialize {
	return func(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
		f, err := newFence(allowed)
		if err != nil {
			return nil, err
		}
		return &instance{init: init, book: ports.NewBook(init.Registry, codec{f}), fence: f}, nil
	}
}

// EnumPorts lists the ports in the registry.
func (m *instance) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	if err := m.book.Alive(); err != nil {
		return nil, err
	}
	return m.book.Enum(ctx)
}

// OpenPort finds the port. What it prints to is looked at by each StartDoc: a printer
// may be unplugged now, and a directory may have become something else.
func (m *instance) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	out := &port{instance: m}
	open := func(ctx context.Context, name string, doc spool.Doc) (ports.Target, error) {
		return m.open(ctx, name, doc, out.patience())
	}
	p, err := m.book.OpenPort(ctx, m.init, name, open, m.check)
	if err != nil {
		return nil, err
	}
	p.Unsized, out.Port = true, p
	return out, nil
}

func (m *instance) check(ctx context.Context, name string) error {
	_, err := m.settings(ctx, name)
	return err
}

// XcvOpenPort opens a configuration channel.
func (m *instance) XcvOpenPort(ctx context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	config := ports.Config{
		UI: "localmonui", DecodePort: decodePort, DecodeName: portconfig.DecodeName, More: m.commands(),
	}
	ch, err := m.book.OpenChannel(ctx, config, object, granted)
	if err != nil {
		return nil, err
	}
	return ch, nil
}

// Shutdown drops the documents of this instance and forgets its ports.
func (m *instance) Shutdown(context.Context) error {
	m.book.Shutdown()
	return nil
}

func (m *instance) settings(ctx context.Context, name string) (settings, error) {
	c, err := m.book.Config(ctx, name)
	if err != nil {
		return settings{}, err
	}
	return parse(c)
}
