package monitorwire

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	monitorv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v1"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// InitV1 is what InitializePrintMonitor carries over the wire.
type InitV1 struct {
	// RegistryRoot is the path of the monitor's key. The module reaches it through the host
	// services with an empty token and key 0.
	RegistryRoot string
	// Complain is told of replies that were put right rather than refused. It may be nil.
	Complain func(text string)
}

// InitializeV1 calls InitializePrintMonitor of an unconverted monitor, which may be done
// once in the life of its process. What comes back is called like any other monitor: the
// data names AddPort and DeletePort are carried out by AddPortEx and DeletePort, for whom
// the right is checked here, and Shutdown does nothing.
func InitializeV1(ctx context.Context, conn grpc.ClientConnInterface, init InitV1) (*Monitor, error) {
	client := monitorv1.NewPrintMonitorClient(conn)
	_, err := client.InitializePrintMonitor(ctx, &monitorv1.InitializePrintMonitorRequest{RegistryRoot: init.RegistryRoot})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	m := &Monitor{
		client: &unconverted{v1: client, channels: make(map[uint64]spool.Access)}, handle: unconvertedHandle,
		complain: init.Complain, handles: &Handles{},
	}
	if m.complain == nil {
		m.complain = func(string) {}
	}
	return m, nil
}

// unconvertedHandle stands for the monitor handle that an unconverted monitor does not have.
const unconvertedHandle = 1<<64 - 1

// unconverted speaks v1 to a module and is called as v2. What it does not override
// belongs to capabilities, none of which an unconverted monitor can announce.
type unconverted struct {
	monitorv2.PrintMonitorClient
	v1 monitorv1.PrintMonitorClient

	mu       sync.Mutex
	last     uint64
	channels map[uint64]spool.Access // Xcv handles, which the module knows nothing of
}

func (u *unconverted) EnumPorts(ctx context.Context, _ *monitorv2.EnumPortsRequest, opts ...grpc.CallOption) (*monitorv2.EnumPortsResponse, error) {
	r, err := u.v1.EnumPorts(ctx, &monitorv1.EnumPortsRequest{}, opts...)
	resp := &monitorv2.EnumPortsResponse{}
	for _, p := range r.GetPorts() {
		resp.Ports = append(resp.Ports, &monitorv2.PortInfo{Name: p.GetName(), Description: p.GetDescription(), Type: p.GetType()})
	}
	return resp, err
}

func (u *unconverted) OpenPort(ctx context.Context, r *monitorv2.OpenPortRequest, opts ...grpc.CallOption) (*monitorv2.OpenPortResponse, error) {
	a, err := u.v1.OpenPort(ctx, &monitorv1.OpenPortRequest{Name: r.GetName()}, opts...)
	return &monitorv2.OpenPortResponse{Port: a.GetPort()}, err
}

func (u *unconverted) StartDocPort(ctx context.Context, r *monitorv2.StartDocPortRequest, opts ...grpc.CallOption) (*monitorv2.StartDocPortResponse, error) {
	d := r.GetDoc()
	_, err := u.v1.StartDocPort(ctx, &monitorv1.StartDocPortRequest{Port: r.GetPort(), Doc: &monitorv1.Doc{
		JobId: d.GetJobId(), Printer: d.GetPrinter(), Title: d.GetTitle(), User: d.GetUser(),
		Datatype: d.GetDatatype(), Size: d.GetSize(), Attempt: d.GetAttempt(),
	}}, opts...)
	return &monitorv2.StartDocPortResponse{}, err
}

func (u *unconverted) WritePort(ctx context.Context, r *monitorv2.WritePortRequest, opts ...grpc.CallOption) (*monitorv2.WritePortResponse, error) {
	a, err := u.v1.WritePort(ctx, &monitorv1.WritePortRequest{Port: r.GetPort(), Data: r.GetData()}, opts...)
	return &monitorv2.WritePortResponse{Written: a.GetWritten(), NotReady: a.GetNotReady(), Reason: a.GetReason()}, err
}

func (u *unconverted) EndDocPort(ctx context.Context, r *monitorv2.EndDocPortRequest, opts ...grpc.CallOption) (*monitorv2.EndDocPortResponse, error) {
	_, err := u.v1.EndDocPort(ctx, &monitorv1.EndDocPortRequest{Port: r.GetPort(), JobStatus: r.GetJobStatus()}, opts...)
	return &monitorv2.EndDocPortResponse{}, err
}

func (u *unconverted) ClosePort(ctx context.Context, r *monitorv2.ClosePortRequest, opts ...grpc.CallOption) (*monitorv2.ClosePortResponse, error) {
	_, err := u.v1.ClosePort(ctx, &monitorv1.ClosePortRequest{Port: r.GetPort()}, opts...)
	return &monitorv2.ClosePortResponse{}, err
}

func (u *unconverted) XcvOpenPort(_ context.Context, r *monitorv2.XcvOpenPortRequest, _ ...grpc.CallOption) (*monitorv2.XcvOpenPortResponse, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last++
	handle := unconvertedHandle - u.last // far from the handles of ports, which share the table
	u.channels[handle] = spool.Access(r.GetGrantedAccess())
	return &monitorv2.XcvOpenPortResponse{Xcv: handle}, nil
}

// XcvDataPort leaves the output buffer alone: neither command has an output.
func (u *unconverted) XcvDataPort(ctx context.Context, r *monitorv2.XcvDataPortRequest, opts ...grpc.CallOption) (*monitorv2.XcvDataPortResponse, error) {
	u.mu.Lock()
	granted, open := u.channels[r.GetXcv()]
	u.mu.Unlock()
	var err error
	switch {
	case !open:
		err = spoolerr.New(spoolerr.BadHandle, 0, "the configuration channel is closed")
	case !granted.Has(spool.ServerAccessAdminister):
		err = spoolerr.New(spoolerr.Denied, 0, "%s needs an administrator of the print server", spool.Quote(r.GetDataName()))
	case r.GetDataName() == portconfig.AddPort:
		_, err = u.v1.AddPortEx(ctx, &monitorv1.AddPortExRequest{Input: r.GetInput()}, opts...)
	case r.GetDataName() == portconfig.DeletePort:
		err = u.deletePort(ctx, r.GetInput(), opts...)
	default:
		err = spoolerr.New(spoolerr.Unsupported, 0,
			"the monitor is not converted: it has no XcvDataPort, so %s cannot be asked of it", spool.Quote(r.GetDataName()))
	}
	return &monitorv2.XcvDataPortResponse{}, spoolgrpc.ToStatus(err)
}

func (u *unconverted) deletePort(ctx context.Context, in []byte, opts ...grpc.CallOption) error {
	name, err := portconfig.DecodeName(in)
	if err != nil {
		return err
	}
	_, err = u.v1.DeletePort(ctx, &monitorv1.DeletePortRequest{Name: name}, opts...)
	return err
}

func (u *unconverted) XcvClosePort(_ context.Context, r *monitorv2.XcvClosePortRequest, _ ...grpc.CallOption) (*monitorv2.XcvClosePortResponse, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.channels, r.GetXcv())
	return &monitorv2.XcvClosePortResponse{}, nil
}

func (u *unconverted) Shutdown(context.Context, *monitorv2.ShutdownRequest, ...grpc.CallOption) (*monitorv2.ShutdownResponse, error) {
	return &monitorv2.ShutdownResponse{}, nil
}
