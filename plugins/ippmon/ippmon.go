package ippmon

import (
	"context"
	"sync"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// What the module calls itself.
const (
	Name    = "Internet Printing Port"
	Version = "1.0.0"
)

// instance is the monitor for one spooler.
type instance struct {
	init monitor.Init
	book *ports.Book

	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

// Initialize is InitializePrintMonitor2.
func Initialize(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
	return &instance{init: init, book: ports.NewBook(init.Registry, codec{}), watchers: make(map[*watcher]struct{})}, nil
}

// EnumPorts lists the ports in the registry.
func (m *instance) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	if err := m.book.Alive(); err != nil {
		return nil, err
	}
	return m.book.Enum(ctx)
}

// OpenPort finds the port and checks its settings. StartDoc connects; between documents
// the printer is asked for its state.
func (m *instance) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	var s settings
	p, err := m.book.OpenPort(ctx, m.init, name, m.open, func(ctx context.Context, name string) (err error) {
		s, err = m.settings(ctx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	w := watch(s, p.Condition())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[w] = struct{}{}
	return &port{p, m, w}, nil
}

// port is an open port whose printer is watched.
type port struct {
	*ports.Port
	instance *instance
	watcher  *watcher
}

// Close gives the port back.
func (p *port) Close(ctx context.Context) error {
	p.watcher.stop()
	p.instance.mu.Lock()
	delete(p.instance.watchers, p.watcher)
	p.instance.mu.Unlock()
	return p.Port.Close(ctx)
}

// open begins a job at the printer, with the settings of now.
func (m *instance) open(ctx context.Context, name string, doc spool.Doc) (ports.Target, error) {
	s, err := m.settings(ctx, name)
	if err != nil {
		return nil, err
	}
	t, err := begin(ctx, s, doc, m.init.Logger.With("port", name, "job", doc.JobID))
	if err != nil {
		return nil, spoolerr.Wrap(err, "port %s", spool.Quote(name))
	}
	return t, nil
}

// XcvOpenPort opens a configuration channel. CheckPrinter asks the printer whether it is
// there.
func (m *instance) XcvOpenPort(ctx context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	ch, err := m.book.OpenChannel(ctx, ports.Config{
		DecodePort: decodePort, DecodeName: portconfig.DecodeName,
		More: map[string]ports.Command{"CheckPrinter": {Run: m.checkPrinter}},
	}, object, granted)
	if err != nil {
		return nil, err
	}
	return ch, nil
}

// decodePort reads the input of AddPort and ConfigPort: JSON, or what Windows sends, the
// port's name alone, which there is its URL.
func decodePort(in []byte) (portconfig.Config, error) {
	name, err := portconfig.DecodeText(in)
	if err != nil {
		return portconfig.Decode(in)
	}
	return portconfig.Config{Name: name, Settings: map[string]string{"uri": name}}, nil
}

func (m *instance) checkPrinter(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	name, err := ch.Name(in)
	if err != nil {
		return nil, err
	}
	s, err := m.settings(ctx, name)
	if err != nil {
		return nil, err
	}
	c := newClient(s)
	defer c.close()
	_, err = c.printer(ctx)
	return nil, spoolerr.Wrap(err, "port %s", spool.Quote(name))
}

// Shutdown drops the documents of this instance and forgets its ports.
func (m *instance) Shutdown(context.Context) error {
	m.book.Shutdown()
	m.mu.Lock()
	defer m.mu.Unlock()
	for w := range m.watchers {
		w.stop()
	}
	clear(m.watchers)
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
