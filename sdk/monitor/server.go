package monitor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// server is the module's side of monitor/v2: it turns handles into the author's values.
type server struct {
	monitorv2.UnimplementedPrintMonitorServer
	initialize Initialize
	host       *wire.Host
	log        *slog.Logger
	handles    handles
}

func newServer(initialize Initialize, host *wire.Host, log *slog.Logger) *server {
	return &server{initialize: initialize, host: host, log: log}
}

func (s *server) InitializePrintMonitor2(ctx context.Context, r *monitorv2.InitializePrintMonitor2Request) (*monitorv2.InitializePrintMonitor2Response, error) {
	m, err := s.initialize(ctx, Init{
		MonitorName: r.GetMonitorName(), ServerName: r.GetServerName(), Local: r.GetLocal(),
		Registry: s.host.Registry(r.GetSpooler(), r.GetRegistryRoot()),
		Spooler:  s.host.Spooler(r.GetSpooler()),
		Logger:   s.log.With("monitor", r.GetMonitorName(), "spooler", r.GetServerName()),
	})
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	if m == nil {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Internal, spoolerr.CodeDLLInitFailed, "initialize returned no monitor"))
	}
	return &monitorv2.InitializePrintMonitor2Response{Monitor: s.handles.add(0, m), Capabilities: append(Capabilities(m), CapClosesPorts)}, nil
}

func (s *server) EnumPorts(ctx context.Context, r *monitorv2.EnumPortsRequest) (*monitorv2.EnumPortsResponse, error) {
	m, err := lookup[Monitor](&s.handles, r.GetMonitor())
	if err != nil {
		return nil, err
	}
	ports, err := m.EnumPorts(ctx)
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	resp := &monitorv2.EnumPortsResponse{}
	for _, p := range ports {
		resp.Ports = append(resp.Ports, &monitorv2.PortInfo{
			Name: valid(p.Name), Description: valid(p.Description), Type: uint32(p.Type),
		})
	}
	return resp, nil
}

// valid makes an author's text fit for the wire, where one bad byte (a device's Latin-1)
// would spoil the whole answer.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func (s *server) OpenPort(ctx context.Context, r *monitorv2.OpenPortRequest) (*monitorv2.OpenPortResponse, error) {
	m, err := lookup[Monitor](&s.handles, r.GetMonitor())
	if err != nil {
		return nil, err
	}
	p, err := m.OpenPort(ctx, r.GetName())
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	if p == nil {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Internal, 0, "OpenPort of %s returned no port", spool.Quote(r.GetName())))
	}
	caps := append(Capabilities(p), CapPrintDocPort)
	if s.host.Documents() == nil {
		caps = slices.DeleteFunc(caps, func(c string) bool { return c == CapDocumentFD })
	}
	return &monitorv2.OpenPortResponse{Port: s.handles.add(r.GetMonitor(), p), Capabilities: caps}, nil
}

func (s *server) StartDocPort(ctx context.Context, r *monitorv2.StartDocPortRequest) (*monitorv2.StartDocPortResponse, error) {
	ctx, p, leave, err := take[Port](ctx, &s.handles, r.GetPort())
	if err != nil {
		return nil, err
	}
	defer leave()
	taken := s.takeDocument(ctx, r)
	if err := p.StartDoc(ctx, docFromProto(r.GetDoc())); err != nil {
		s.handles.holdDocument(r.GetPort(), nil, 0)
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.StartDocPortResponse{DocumentTaken: taken}, nil
}

func docFromProto(d *monitorv2.Doc) spool.Doc {
	return spool.Doc{
		JobID: d.GetJobId(), Printer: d.GetPrinter(), Title: d.GetTitle(), User: d.GetUser(),
		Datatype: d.GetDatatype(), Size: d.GetSize(), Attempt: int(d.GetAttempt()),
	}
}

func (s *server) WritePort(ctx context.Context, r *monitorv2.WritePortRequest) (*monitorv2.WritePortResponse, error) {
	ctx, p, leave, err := take[Port](ctx, &s.handles, r.GetPort())
	if err != nil {
		return nil, err
	}
	defer leave()
	n, err := s.write(ctx, p, r)
	resp := &monitorv2.WritePortResponse{Written: uint32(max(n, 0))}
	switch {
	case errors.Is(err, spoolerr.NotReady):
		resp.NotReady, resp.Reason = true, spoolgrpc.Clean(err.Error())
	case err != nil:
		return nil, spoolgrpc.ToStatus(err)
	}
	return resp, nil
}

func (s *server) EndDocPort(ctx context.Context, r *monitorv2.EndDocPortRequest) (*monitorv2.EndDocPortResponse, error) {
	ctx, p, leave, err := take[Port](ctx, &s.handles, r.GetPort())
	if err != nil {
		return nil, err
	}
	defer leave()
	defer s.handles.holdDocument(r.GetPort(), nil, 0)
	if err := p.EndDoc(ctx, spool.JobStatus(r.GetJobStatus())); err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.EndDocPortResponse{}, nil
}

func (s *server) ClosePort(ctx context.Context, r *monitorv2.ClosePortRequest) (*monitorv2.ClosePortResponse, error) {
	_, p, leave, err := take[Port](ctx, &s.handles, r.GetPort())
	if err != nil {
		return nil, err
	}
	defer leave()
	s.handles.remove(r.GetPort())
	if err := p.Close(ctx); err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.ClosePortResponse{}, nil
}

func (s *server) Shutdown(ctx context.Context, r *monitorv2.ShutdownRequest) (*monitorv2.ShutdownResponse, error) {
	m, err := lookup[Monitor](&s.handles, r.GetMonitor())
	if err != nil {
		return nil, err
	}
	closed := s.closePorts(ctx, r.GetMonitor())
	s.handles.remove(r.GetMonitor())
	if err := errors.Join(closed, m.Shutdown(ctx)); err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.ShutdownResponse{}, nil
}

// closePorts closes the ports of an instance that are open, some at a time: closing one may
// take a word to its device. A call that is still in one is cancelled, and waited for.
func (s *server) closePorts(ctx context.Context, monitor uint64) error {
	const together = 16
	open := s.handles.below(monitor)
	for _, handle := range open {
		s.handles.end(handle)
	}
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, len(open))
	for range min(together, len(open)) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(open)); i = next.Add(1) - 1 {
				_, p, leave, err := take[Port](ctx, &s.handles, open[i])
				if err != nil {
					continue // it is an Xcv channel, or has just been closed
				}
				s.handles.remove(open[i])
				errs[i] = p.Close(ctx)
				leave()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
