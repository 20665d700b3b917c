package monitor

import (
	"context"
	"log/slog"
	"sync"

	monitorv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v1"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// InitializeV1 is InitializePrintMonitor, the function of an unconverted monitor: it is
// called once in the life of the process. New monitors have no use for it.
type InitializeV1 func(ctx context.Context, init InitV1) (Unconverted, error)

// InitV1 is what an unconverted monitor receives: the path of its key, and what the
// Win32 functions were to it, which knew one spooler only.
type InitV1 struct {
	// RegistryRoot is the path of the monitor's key.
	RegistryRoot string
	// Registry is that key.
	Registry registry.Key
	// Spooler takes the monitor's reports.
	Spooler Spooler
	// Logger writes to the host's log.
	Logger *slog.Logger
}

// Unconverted is an unconverted monitor: no Xcv and no Shutdown, and so no cluster.
type Unconverted interface {
	EnumPorts(ctx context.Context) ([]spool.PortInfo, error)
	OpenPort(ctx context.Context, name string) (Port, error)
}

// PortAdder is a Unconverted to which ports can be added (pfnAddPortEx).
type PortAdder interface {
	// AddPortEx adds a port. in is the input of AddPort; it comes from the caller unchecked.
	AddPortEx(ctx context.Context, in []byte) error
}

// PortDeleter is a Unconverted whose ports can be deleted (pfnDeletePort).
type PortDeleter interface {
	DeletePort(ctx context.Context, name string) error
}

// serverV1 is the module's side of monitor/v1. The functions of a port are the same as
// in v2, whose server carries them out.
type serverV1 struct {
	monitorv1.UnimplementedPrintMonitorServer
	initialize InitializeV1
	v2         *server

	mu     sync.Mutex
	handle uint64 // of the only instance, 0 before it is initialised
}

// asMonitor makes a Unconverted fit for v2's table of handles.
type asMonitor struct{ Unconverted }

func (asMonitor) XcvOpenPort(context.Context, string, spool.Access) (Xcv, error) {
	return nil, spoolerr.New(spoolerr.Unsupported, 0, "this monitor is not converted")
}

func (asMonitor) Shutdown(context.Context) error { return nil }

func (s *serverV1) InitializePrintMonitor(ctx context.Context, r *monitorv1.InitializePrintMonitorRequest) (*monitorv1.InitializePrintMonitorResponse, error) {
	s.mu.Lock() // held across the author's code: a second caller is to be refused
	defer s.mu.Unlock()
	if s.handle != 0 {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Exists, 0, "the monitor is initialised: it has one instance in a process; convert it"))
	}
	m, err := s.initialize(ctx, InitV1{
		RegistryRoot: r.GetRegistryRoot(), Registry: s.v2.host.Registry("", 0), Spooler: s.v2.host.Spooler(""), Logger: s.v2.log,
	})
	if err == nil && m == nil {
		err = spoolerr.New(spoolerr.Internal, spoolerr.CodeDLLInitFailed, "initialize returned no monitor")
	}
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	s.handle = s.v2.handles.add(0, asMonitor{m})
	return &monitorv1.InitializePrintMonitorResponse{}, nil
}

// monitor is the only instance's handle; before InitializePrintMonitor it is no handle.
func (s *serverV1) monitor() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handle
}

// optionalV1 is what the only instance can do beyond Unconverted.
func optionalV1[T any](s *serverV1) (T, error) {
	m, err := lookup[Monitor](&s.v2.handles, s.monitor())
	if err != nil {
		var none T
		return none, err
	}
	v, ok := m.(asMonitor).Unconverted.(T)
	if !ok {
		err = spoolgrpc.ToStatus(spoolerr.New(spoolerr.Unsupported, 0, "this monitor does not have this function"))
	}
	return v, err
}

func (s *serverV1) EnumPorts(ctx context.Context, _ *monitorv1.EnumPortsRequest) (*monitorv1.EnumPortsResponse, error) {
	r, err := s.v2.EnumPorts(ctx, &monitorv2.EnumPortsRequest{Monitor: s.monitor()})
	resp := &monitorv1.EnumPortsResponse{}
	for _, p := range r.GetPorts() {
		resp.Ports = append(resp.Ports, &monitorv1.PortInfo{Name: p.GetName(), Description: p.GetDescription(), Type: p.GetType()})
	}
	return resp, err
}

func (s *serverV1) OpenPort(ctx context.Context, r *monitorv1.OpenPortRequest) (*monitorv1.OpenPortResponse, error) {
	a, err := s.v2.OpenPort(ctx, &monitorv2.OpenPortRequest{Monitor: s.monitor(), Name: r.GetName()})
	return &monitorv1.OpenPortResponse{Port: a.GetPort()}, err
}

func (s *serverV1) StartDocPort(ctx context.Context, r *monitorv1.StartDocPortRequest) (*monitorv1.StartDocPortResponse, error) {
	d := r.GetDoc()
	_, err := s.v2.StartDocPort(ctx, &monitorv2.StartDocPortRequest{Port: r.GetPort(), Doc: &monitorv2.Doc{
		JobId: d.GetJobId(), Printer: d.GetPrinter(), Title: d.GetTitle(), User: d.GetUser(),
		Datatype: d.GetDatatype(), Size: d.GetSize(), Attempt: d.GetAttempt(),
	}})
	return &monitorv1.StartDocPortResponse{}, err
}

func (s *serverV1) WritePort(ctx context.Context, r *monitorv1.WritePortRequest) (*monitorv1.WritePortResponse, error) {
	a, err := s.v2.WritePort(ctx, &monitorv2.WritePortRequest{Port: r.GetPort(), Data: r.GetData()})
	return &monitorv1.WritePortResponse{Written: a.GetWritten(), NotReady: a.GetNotReady(), Reason: a.GetReason()}, err
}

func (s *serverV1) EndDocPort(ctx context.Context, r *monitorv1.EndDocPortRequest) (*monitorv1.EndDocPortResponse, error) {
	_, err := s.v2.EndDocPort(ctx, &monitorv2.EndDocPortRequest{Port: r.GetPort(), JobStatus: r.GetJobStatus()})
	return &monitorv1.EndDocPortResponse{}, err
}

func (s *serverV1) ClosePort(ctx context.Context, r *monitorv1.ClosePortRequest) (*monitorv1.ClosePortResponse, error) {
	_, err := s.v2.ClosePort(ctx, &monitorv2.ClosePortRequest{Port: r.GetPort()})
	return &monitorv1.ClosePortResponse{}, err
}

func (s *serverV1) AddPortEx(ctx context.Context, r *monitorv1.AddPortExRequest) (*monitorv1.AddPortExResponse, error) {
	m, err := optionalV1[PortAdder](s)
	if err == nil {
		err = spoolgrpc.ToStatus(m.AddPortEx(ctx, r.GetInput()))
	}
	return &monitorv1.AddPortExResponse{}, err
}

func (s *serverV1) DeletePort(ctx context.Context, r *monitorv1.DeletePortRequest) (*monitorv1.DeletePortResponse, error) {
	m, err := optionalV1[PortDeleter](s)
	if err == nil {
		err = spoolgrpc.ToStatus(m.DeletePort(ctx, r.GetName()))
	}
	return &monitorv1.DeletePortResponse{}, err
}
