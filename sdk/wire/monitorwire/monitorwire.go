// Package monitorwire is the host's side of the monitor contract: a monitor in another
// process as a monitor.Monitor. The host's catalog and the conformance kits import it.
//
// Nothing a module answers is trusted: handles, counts, sizes and texts are checked here,
// and a broken contract becomes a spoolerr.Internal that says what the module did. It
// sets no deadlines and does not chunk; host/portmon does.
package monitorwire

import (
	"context"
	"os"

	"google.golang.org/grpc"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// MaxPorts bounds what one instance may list.
const MaxPorts = 100_000

// Init is what InitializePrintMonitor2 carries over the wire.
type Init struct {
	Token       string // hSpooler
	Root        uint64 // hckRegistryRoot
	MonitorName string
	ServerName  string
	Local       bool
	// Handles are those of the process, if it serves more than this instance; nil if not.
	Handles *Handles
	// SendDocument sends the descriptor of a document to the process and gives the number
	// under which it went. It is nil where there is no socket for that.
	SendDocument func(*os.File) (number uint64, err error)
	// Complain is told of replies that were put right rather than refused. It may be nil.
	Complain func(text string)
}

// Monitor is one instance in another process.
type Monitor struct {
	client   monitorv2.PrintMonitorClient
	handle   uint64
	caps     capabilities
	complain func(string)
	handles  *Handles
	send     func(*os.File) (uint64, error)
}

var (
	_ monitor.Monitor         = (*Monitor)(nil)
	_ monitor.PortUseObserver = (*Monitor)(nil)
	_ monitor.PowerObserver   = (*Monitor)(nil)
)

// Initialize calls InitializePrintMonitor2.
func Initialize(ctx context.Context, conn grpc.ClientConnInterface, init Init) (*Monitor, error) {
	client := monitorv2.NewPrintMonitorClient(conn)
	r, err := client.InitializePrintMonitor2(ctx, &monitorv2.InitializePrintMonitor2Request{
		Spooler: init.Token, RegistryRoot: init.Root, Local: init.Local,
		ServerName: init.ServerName, MonitorName: init.MonitorName,
	})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	m := &Monitor{
		client: client, handle: r.GetMonitor(), caps: newCapabilities(r.GetCapabilities()),
		complain: init.Complain, handles: init.Handles, send: init.SendDocument,
	}
	if m.handles == nil {
		m.handles = &Handles{}
	}
	if err := m.handles.claim(m, "InitializePrintMonitor2", m.handle); err != nil {
		return nil, err
	}
	if m.complain == nil {
		m.complain = func(string) {}
	}
	return m, nil
}

// Has says whether the instance announced a capability.
func (m *Monitor) Has(capability string) bool { return m.caps.has(capability) }

// OpenHandles is how many handles the instance has given that are open: its own, and
// those of ports and Xcv channels.
func (m *Monitor) OpenHandles() int { return m.handles.count(m) }

// EnumPorts leaves out ports whose names no spooler could carry, and complains of them.
func (m *Monitor) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	r, err := m.client.EnumPorts(ctx, &monitorv2.EnumPortsRequest{Monitor: m.handle})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	if len(r.GetPorts()) > MaxPorts {
		return nil, broken("EnumPorts returned %d ports; the most is %d", len(r.GetPorts()), MaxPorts)
	}
	ports := make([]spool.PortInfo, 0, len(r.GetPorts()))
	seen := make(map[string]bool, len(r.GetPorts()))
	for _, p := range r.GetPorts() {
		if err := spool.CheckPortName(p.GetName()); err != nil {
			m.complain("EnumPorts: left out: " + err.Error())
			continue
		}
		if key := spool.Fold(p.GetName()); seen[key] {
			m.complain("EnumPorts: left out: port " + spool.Quote(p.GetName()) + " was listed twice")
			continue
		} else {
			seen[key] = true
		}
		ports = append(ports, spool.PortInfo{
			Name: p.GetName(), Description: spoolgrpc.Clean(p.GetDescription()), Type: spool.PortType(p.GetType()),
		})
	}
	return ports, nil
}

// OpenPort opens a port.
func (m *Monitor) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	r, err := m.client.OpenPort(ctx, &monitorv2.OpenPortRequest{Monitor: m.handle, Name: name})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	if err := m.handles.claim(m, "OpenPort", r.GetPort()); err != nil {
		return nil, err
	}
	return &Port{monitor: m, handle: r.GetPort(), caps: newCapabilities(r.GetCapabilities())}, nil
}

// XcvOpenPort opens a configuration channel.
func (m *Monitor) XcvOpenPort(ctx context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	r, err := m.client.XcvOpenPort(ctx, &monitorv2.XcvOpenPortRequest{
		Monitor: m.handle, Object: object, GrantedAccess: uint32(granted),
	})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	if err := m.handles.claim(m, "XcvOpenPort", r.GetXcv()); err != nil {
		return nil, err
	}
	return &xcv{monitor: m, handle: r.GetXcv()}, nil
}

// Shutdown ends the instance.
func (m *Monitor) Shutdown(ctx context.Context) error {
	m.handles.releaseAll(m)
	_, err := m.client.Shutdown(ctx, &monitorv2.ShutdownRequest{Monitor: m.handle})
	return spoolgrpc.FromStatus(err)
}

// NotifyUsedPorts does nothing if the instance did not announce the capability.
func (m *Monitor) NotifyUsedPorts(ctx context.Context, ports []string) error {
	if !m.Has(monitor.CapNotifyPorts) {
		return nil
	}
	_, err := m.client.NotifyUsedPorts(ctx, &monitorv2.NotifyUsedPortsRequest{Monitor: m.handle, Ports: ports})
	return spoolgrpc.FromStatus(err)
}

// NotifyUnusedPorts does nothing if the instance did not announce the capability.
func (m *Monitor) NotifyUnusedPorts(ctx context.Context, ports []string) error {
	if !m.Has(monitor.CapNotifyPorts) {
		return nil
	}
	_, err := m.client.NotifyUnusedPorts(ctx, &monitorv2.NotifyUnusedPortsRequest{Monitor: m.handle, Ports: ports})
	return spoolgrpc.FromStatus(err)
}

// PowerEvent does nothing if the instance did not announce the capability.
func (m *Monitor) PowerEvent(ctx context.Context, event spool.PowerEvent) error {
	if !m.Has(monitor.CapPowerEvent) {
		return nil
	}
	_, err := m.client.PowerEvent(ctx, &monitorv2.PowerEventRequest{Monitor: m.handle, Event: uint32(event)})
	return spoolgrpc.FromStatus(err)
}

type xcv struct {
	monitor *Monitor
	handle  uint64
}

var _ monitor.Xcv = (*xcv)(nil)

// Data offers a buffer of wire.MaxXcv bytes, the most an output may have. What the command
// itself answered is a *Status.
func (x *xcv) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	if len(in) > wire.MaxXcv {
		return nil, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
			"the input of %s has %d bytes; the most is %d", spool.Quote(name), len(in), wire.MaxXcv)
	}
	r, err := x.monitor.client.XcvDataPort(ctx, &monitorv2.XcvDataPortRequest{
		Xcv: x.handle, DataName: name, Input: in, OutputSize: wire.MaxXcv,
	})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	if r.GetStatus() != 0 {
		return nil, &Status{failure(r.GetKind(), r.GetStatus(), r.GetMessage())}
	}
	if len(r.GetOutput()) > wire.MaxXcv {
		return nil, broken("XcvDataPort returned %d bytes into a buffer of %d", len(r.GetOutput()), wire.MaxXcv)
	}
	return r.GetOutput(), nil
}

func (x *xcv) Close(ctx context.Context) error {
	x.monitor.handles.release(x.handle)
	_, err := x.monitor.client.XcvClosePort(ctx, &monitorv2.XcvClosePortRequest{Xcv: x.handle})
	return spoolgrpc.FromStatus(err)
}

type capabilities map[string]struct{}

func newCapabilities(list []string) capabilities {
	const most = 64
	caps := make(capabilities, min(len(list), most))
	for _, c := range list[:min(len(list), most)] {
		caps[c] = struct{}{}
	}
	return caps
}

func (c capabilities) has(name string) bool {
	_, ok := c[name]
	return ok
}

// failure is an error that came inside a response. That a process has exited is not for
// it to say.
func failure(kind, code uint32, message string) *spoolerr.Error {
	k := spoolerr.Kind(kind)
	if !k.Valid() || k == spoolerr.Exited {
		k = spoolerr.Internal
	}
	return spoolerr.New(k, spoolerr.Code(code), "%s", spoolgrpc.Clean(message))
}

func broken(format string, args ...any) error {
	return spoolerr.New(spoolerr.Internal, spoolerr.CodeInvalidPrintMonitor, "the module broke its contract: "+format, args...)
}
