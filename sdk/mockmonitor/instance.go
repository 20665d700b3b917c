package mockmonitor

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// instance is the mock for one spooler. Each port is a value of its registry, which
// holds the input of AddPort.
type instance struct {
	mock *Mock
	init monitor.Init

	mu   sync.Mutex
	open map[*port]struct{}
}

// begin records a call of the monitor itself, and does what the mock's options say of it.
func (i *instance) begin(ctx context.Context, call Call) error {
	s, err := parse(portconfig.Config{}, i.mock.opts.Settings)
	if err != nil {
		return err
	}
	return i.enter(ctx, call, s, 0)
}

func (i *instance) enter(ctx context.Context, call Call, s Script, attempt int) error {
	call.Server = i.init.ServerName
	i.mock.update(func() { i.mock.calls = append(i.mock.calls, call) })
	if err := record(s.Record, call); err != nil {
		return err
	}
	if i.mock.opts.Before != nil {
		if err := i.mock.opts.Before(ctx, call); err != nil {
			return err
		}
	}
	return s.strike(ctx, call, attempt)
}

func record(path string, call Call) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	line, _ := json.Marshal(call) // texts and numbers
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// EnumPorts lists the values of the registry, one for each port.
func (i *instance) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	if err := i.begin(ctx, Call{Method: "enum"}); err != nil {
		return nil, err
	}
	var ports []spool.PortInfo
	for v, err := range registry.Values(ctx, i.init.Registry) {
		if err != nil {
			return nil, err
		}
		c, s, err := i.decode(v)
		if err != nil {
			return nil, err
		}
		if err := s.strike(ctx, Call{Method: "enum"}, 0); err != nil {
			return nil, err
		}
		ports = append(ports, spool.PortInfo{Name: c.Name, Description: "mock port", Type: spool.PortTypeWrite})
	}
	return ports, nil
}

func (i *instance) decode(v registry.Value) (portconfig.Config, Script, error) {
	c, err := portconfig.Decode(v.Data)
	if err != nil {
		return c, Script{}, err
	}
	s, err := parse(c, i.mock.opts.Settings)
	return c, s, err
}

func (i *instance) config(ctx context.Context, name string) (portconfig.Config, Script, error) {
	v, err := i.init.Registry.QueryValue(ctx, name)
	if errors.Is(err, spoolerr.NotFound) {
		err = spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPort, "port %s does not exist; add it", spool.Quote(name))
	}
	if err != nil {
		return portconfig.Config{}, Script{}, err
	}
	return i.decode(v)
}

// OpenPort opens a port; the settings are read again for each document.
func (i *instance) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	c, s, err := i.config(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := i.enter(ctx, Call{Method: "open", Port: c.Name}, s, 0); err != nil {
		return nil, err
	}
	p := &port{instance: i, name: c.Name, unsized: s.Unsized}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open[p] = struct{}{}
	if s.File {
		return filePort{p}, nil
	}
	return p, nil
}

// XcvOpenPort opens a configuration channel.
func (i *instance) XcvOpenPort(_ context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	return &xcv{instance: i, object: object, granted: granted}, nil
}

// Shutdown drops the documents of this instance.
func (i *instance) Shutdown(ctx context.Context) error {
	err := i.begin(ctx, Call{Method: "shutdown"})
	i.mu.Lock()
	defer i.mu.Unlock()
	for p := range i.open {
		p.drop(true)
	}
	clear(i.open)
	return err
}

func (i *instance) forget(p *port) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.open, p)
}

type xcv struct {
	instance *instance
	object   string
	granted  spool.Access
}

// Data carries out AddPort, ConfigPort, DeletePort, GetConfigInfo and MonitorUI.
func (x *xcv) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	if err := x.instance.begin(ctx, Call{Method: "xcv", Port: x.object, Name: name, Bytes: len(in)}); err != nil {
		return nil, err
	}
	switch name {
	case portconfig.MonitorUI:
		if ui := x.instance.mock.opts.UI; ui != "" {
			return portconfig.EncodeText(ui), nil
		}
	case portconfig.AddPort, portconfig.ConfigPort, portconfig.DeletePort, portconfig.GetConfigInfo:
		if !x.granted.Has(spool.ServerAccessAdminister) {
			return nil, spoolerr.New(spoolerr.Denied, 0, "%s needs an administrator of the print server", name)
		}
		return x.administer(ctx, name, in)
	}
	return nil, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidParameter, "data name %s is unknown", spool.Quote(name))
}

func (x *xcv) administer(ctx context.Context, name string, in []byte) ([]byte, error) {
	i := x.instance
	if name == portconfig.AddPort || name == portconfig.ConfigPort {
		return nil, x.store(ctx, name == portconfig.AddPort, in)
	}
	port, err := portconfig.DecodeName(in)
	if err != nil {
		return nil, err
	}
	c, _, err := i.config(ctx, port)
	if err != nil || name == portconfig.DeletePort {
		return nil, errors.Join(err, i.remove(ctx, err, port))
	}
	return portconfig.Encode(c.Name, c.Settings), nil
}

func (i *instance) remove(ctx context.Context, unknown error, port string) error {
	if unknown != nil {
		return nil
	}
	return i.init.Registry.DeleteValue(ctx, port)
}

// store keeps a port as the bytes that described it.
func (x *xcv) store(ctx context.Context, add bool, in []byte) error {
	c, err := portconfig.Decode(in)
	if err != nil {
		return err
	}
	_, bad := parse(c, x.instance.mock.opts.Settings)
	if err := errors.Join(spool.CheckPortName(c.Name), bad); err != nil {
		return err
	}
	if _, _, err := x.instance.config(ctx, c.Name); add && err == nil {
		return spoolerr.New(spoolerr.Exists, 0, "port %s exists already", spool.Quote(c.Name))
	}
	return x.instance.init.Registry.SetValue(ctx, registry.Bytes(c.Name, in))
}

func (x *xcv) Close(context.Context) error { return nil }
