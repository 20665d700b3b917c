package hosttest

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// MonitorArg is the argument that makes a test binary a module; see ServeMonitor.
const MonitorArg = "spoolhost-test-monitor"

// ServeMonitor makes the process a scriptable port monitor if it was started as one, and
// else returns at once. Call it first in TestMain; Monitor says how to start it.
//
// Ports are added by AddPort. Their settings say where they print and what they do wrong:
//
//	to        TCP address of the device; without it, bytes are dropped
//	crash     the call in which the process dies: open, start, write, end, or sent
//	          (after the report)
//	hang      the call that does not return: enum, open, start, write or end
//	obeys     "yes": the hanging call returns when it is cancelled
//	fail      the call that fails: open, start, write or end
//	confirm   "never": the document is not reported as sent
//	at        the fault in write happens at this byte of the document
//	only      the fault happens in this many first attempts of a job, and not later
//	while     the fault happens as long as this file exists
//	short     the most bytes that one write takes
func ServeMonitor() {
	if len(os.Args) > 1 && os.Args[1] == MonitorArg {
		monitor.Serve(initialize, monitor.Name("test monitor"), monitor.Version("1"))
	}
}

// Monitor gives the running binary as a monitor of this name.
func Monitor(name string) catalog.Monitor {
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		path = os.Args[0]
	}
	return catalog.Monitor{Name: name, Path: path, Args: []string{MonitorArg}}
}

type testMonitor struct{ init monitor.Init }

func initialize(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
	return &testMonitor{init: init}, nil
}

// EnumPorts lists the values of the registry, one for each port.
func (m *testMonitor) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	var ports []spool.PortInfo
	for v, err := range registry.Values(ctx, m.init.Registry) {
		if err != nil {
			return nil, err
		}
		c, err := config(v)
		if err != nil {
			return nil, err
		}
		if err := newFaults(c.Settings, 0).strike(ctx, "enum", 0); err != nil {
			return nil, err
		}
		ports = append(ports, spool.PortInfo{Name: c.Name, Description: "test port", Type: spool.PortTypeWrite})
	}
	return ports, nil
}

func config(v registry.Value) (portconfig.Config, error) { return portconfig.Decode(v.Data) }

func (m *testMonitor) port(ctx context.Context, name string) (portconfig.Config, error) {
	v, err := m.init.Registry.QueryValue(ctx, name)
	if errors.Is(err, spoolerr.NotFound) {
		return portconfig.Config{}, spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPort, "port %s does not exist", spool.Quote(name))
	}
	if err != nil {
		return portconfig.Config{}, err
	}
	return config(v)
}

// OpenPort implements monitor.Monitor.
func (m *testMonitor) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	c, err := m.port(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := newFaults(c.Settings, 0).strike(ctx, "open", 0); err != nil {
		return nil, err
	}
	return &testPort{monitor: m, name: name}, nil
}

// XcvOpenPort implements monitor.Monitor.
func (m *testMonitor) XcvOpenPort(_ context.Context, _ string, granted spool.Access) (monitor.Xcv, error) {
	if !granted.Has(spool.ServerAccessAdminister) {
		return nil, spoolerr.New(spoolerr.Denied, 0, "only an administrator may change ports")
	}
	return &testXcv{monitor: m}, nil
}

// Shutdown implements monitor.Monitor.
func (m *testMonitor) Shutdown(context.Context) error { return nil }

type testXcv struct{ monitor *testMonitor }

// Data implements monitor.Xcv.
func (x *testXcv) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	key := x.monitor.init.Registry
	switch name {
	case portconfig.AddPort, portconfig.ConfigPort:
		c, err := portconfig.Decode(in)
		if err != nil {
			return nil, err
		}
		return nil, key.SetValue(ctx, registry.Bytes(c.Name, in))
	case portconfig.DeletePort:
		port, err := portconfig.DecodeName(in)
		if err != nil {
			return nil, err
		}
		return nil, key.DeleteValue(ctx, port)
	}
	return nil, spoolerr.New(spoolerr.Unsupported, 0, "the test monitor has no %s", spool.Quote(name))
}

// Close implements monitor.Xcv.
func (x *testXcv) Close(context.Context) error { return nil }
