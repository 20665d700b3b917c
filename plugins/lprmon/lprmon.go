package lprmon

import (
	"context"

	"github.com/spoolhost/spoolhost/plugins/internal/lpr"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// What the module calls itself.
const (
	Name    = "Line Printer Remote"
	Version = "1.0.0"
)

// instance is the monitor for one spooler.
type instance struct {
	init monitor.Init
	book *ports.Book
}

// Initialize is InitializePrintMonitor2.
func Initialize(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
	return &instance{init: init, book: ports.NewBook(init.Registry, codec{})}, nil
}

// EnumPorts lists the ports in the registry.
func (m *instance) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	if err := m.book.Alive(); err != nil {
		return nil, err
	}
	return m.book.Enum(ctx)
}

// OpenPort finds the port and checks its settings. StartDoc connects, so that the daemon
// is held only while it prints.
func (m *instance) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	p, err := m.book.OpenPort(ctx, m.init, name, m.open, m.check)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// open begins a job at the daemon, with the settings of now.
func (m *instance) open(ctx context.Context, name string, doc spool.Doc) (ports.Target, error) {
	s, err := m.settings(ctx, name)
	if err != nil {
		return nil, err
	}
	t, err := lpr.Open(ctx, s, doc)
	if err != nil {
		return nil, spoolerr.Wrap(err, "port %s", spool.Quote(name))
	}
	return t, nil
}

func (m *instance) check(ctx context.Context, name string) error {
	_, err := m.settings(ctx, name)
	return err
}

// XcvOpenPort opens a configuration channel.
func (m *instance) XcvOpenPort(ctx context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	ch, err := m.book.OpenChannel(ctx, m.channels(), object, granted)
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

// settings reads a port's settings as they are now.
func (m *instance) settings(ctx context.Context, name string) (lpr.Settings, error) {
	c, err := m.book.Config(ctx, name)
	if err != nil {
		return lpr.Settings{}, err
	}
	s, err := parse(c)
	if s.Sender == "" {
		s.Sender = m.init.ServerName
	}
	return s, err
}
