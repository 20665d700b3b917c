package cupsbackend

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// What the module calls itself.
const (
	Name    = "CUPS Backend"
	Version = "1.0.0"
)

// instance is the monitor for one spooler.
type instance struct {
	init     monitor.Init
	book     *ports.Book
	backends backends
}

// New gives the InitializePrintMonitor2 of a module that may run the backends in dirs and
// no others. As root it runs those that everybody may run as user; an empty user leaves
// them as they are.
func New(dirs []string, user string) monitor.Initialize {
	return func(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
		b, err := newBackends(dirs, user)
		if err != nil {
			return nil, err
		}
		return &instance{init: init, book: ports.NewBook(init.Registry, codec{b}), backends: b}, nil
	}
}

// EnumPorts lists the ports in the registry.
func (m *instance) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	if err := m.book.Alive(); err != nil {
		return nil, err
	}
	return m.book.Enum(ctx)
}

// port is an open port whose backend may talk back.
type port struct {
	*ports.Port
	memory *memory
}

// OpenPort finds the port and checks its settings. StartDoc starts the backend.
func (m *instance) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	out := &port{memory: newMemory()}
	open := func(ctx context.Context, name string, doc spool.Doc) (ports.Target, error) {
		t, err := m.start(ctx, out, name, doc)
		if err != nil {
			return nil, spoolerr.Wrap(err, "port %s", spool.Quote(name))
		}
		return t, nil
	}
	p, err := m.book.OpenPort(ctx, m.init, name, open, m.check)
	if err != nil {
		return nil, err
	}
	out.Port = p
	return out, nil
}

func (m *instance) start(ctx context.Context, p *port, name string, doc spool.Doc) (*printing, error) {
	s, err := m.settings(ctx, name)
	if err != nil {
		return nil, err
	}
	e, err := m.backends.find(s.scheme())
	if err != nil {
		return nil, err
	}
	attributes, err := m.backends.attributes(e)
	if err != nil {
		return nil, err
	}
	said := &transcript{log: m.init.Logger.With("port", name, "job", doc.JobID, "backend", e.scheme), memory: p.memory, tell: p.tell}
	run, err := start(e, attributes, arguments(s, doc), environment(e, s, doc.Printer), said)
	if err != nil {
		return nil, err
	}
	return &printing{
		process: run, scheme: e.scheme, said: said, patience: s.writeTimeout, size: doc.Size,
		finished: func() { p.tell(p.memory.rest()) },
	}, nil
}

// tell passes on what a backend says of its printer. No call waits for it.
func (p *port) tell(status spool.PortStatus) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	p.Condition().Device(ctx, status)
}

// Read gives what the backend sent on its back channel during the document.
func (p *port) Read(_ context.Context, b []byte) (int, error) {
	job, err := p.Slot.Current()
	if err != nil {
		return 0, err
	}
	return job.Target.(*printing).back.Take(b), nil
}

// GetPrinterData answers by name what a backend has said in ATTR lines, such as
// marker-levels, as a NUL-terminated UTF-16 text.
func (p *port) GetPrinterData(_ context.Context, controlID uint32, name string, _ []byte) ([]byte, error) {
	if controlID != 0 {
		return nil, spoolerr.New(spoolerr.Unsupported, 0, "port %s takes no control codes; ask by value name", spool.Quote(p.Slot.Name))
	}
	v, ok := p.memory.attribute(name)
	if !ok {
		return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound,
			"no backend of port %s has told %s; it has told %v", spool.Quote(p.Slot.Name), spool.Quote(name), p.memory.names())
	}
	return portconfig.EncodeText(v), nil
}

func (m *instance) check(ctx context.Context, name string) error {
	_, err := m.settings(ctx, name)
	return err
}

// Shutdown ends the backends of this instance and forgets its ports.
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
