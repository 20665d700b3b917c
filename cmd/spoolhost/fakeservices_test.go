package main

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func (f *fakeHost) GetStatus(context.Context, *apiv1.GetStatusRequest) (*apiv1.GetStatusResponse, error) {
	return &apiv1.GetStatusResponse{
		Version: "v9.8.7", Pid: 1234, Role: "administrator", User: "root", Data: "/data",
		Spoolers: []*apiv1.SpoolerStatus{{
			Name: "node", State: "online-incomplete", Jobs: map[string]uint32{"queued": 3, "held": 1},
			Problems: []string{"printer \"Labels\" is missing: monitor \"Acme\x07\" is not installed"},
		}},
	}, nil
}

func (f *fakeHost) Explain(_ context.Context, r *apiv1.ExplainRequest) (*apiv1.ExplainResponse, error) {
	return &apiv1.ExplainResponse{
		Summary: r.GetKind() + " " + r.GetName() + " waits.",
		Events:  []*apiv1.ExplainEvent{{Time: timestamppb.Now(), Text: "submitted\nby anna"}},
		Advice:  []string{"Switch the device on."},
	}, nil
}

func (f *fakeHost) AddMonitor(_ context.Context, r *apiv1.AddMonitorRequest) (*apiv1.AddMonitorResponse, error) {
	return &apiv1.AddMonitorResponse{Monitor: &apiv1.Monitor{Name: r.GetName(), Module: r.GetModule(), Args: r.GetArgs(), State: "running"}}, nil
}

func (f *fakeHost) ListMonitors(_ *apiv1.ListMonitorsRequest, s grpc.ServerStreamingServer[apiv1.ListMonitorsResponse]) error {
	return s.Send(&apiv1.ListMonitorsResponse{Monitors: f.monitors})
}

func (f *fakeHost) GetMonitor(_ context.Context, r *apiv1.GetMonitorRequest) (*apiv1.GetMonitorResponse, error) {
	for _, m := range f.monitors {
		if m.GetName() == r.GetName() {
			return &apiv1.GetMonitorResponse{Monitor: m}, nil
		}
	}
	return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPrintMonitor, "monitor %q is not installed", r.GetName())
}

func (f *fakeHost) RemoveMonitor(context.Context, *apiv1.RemoveMonitorRequest) (*apiv1.RemoveMonitorResponse, error) {
	return &apiv1.RemoveMonitorResponse{}, nil
}

func (f *fakeHost) RestartMonitor(_ context.Context, r *apiv1.RestartMonitorRequest) (*apiv1.RestartMonitorResponse, error) {
	return &apiv1.RestartMonitorResponse{Monitor: &apiv1.Monitor{Name: r.GetName(), State: "running"}}, nil
}

func (f *fakeHost) AddPort(_ context.Context, r *apiv1.AddPortRequest) (*apiv1.AddPortResponse, error) {
	return &apiv1.AddPortResponse{Port: &apiv1.Port{Name: r.GetName(), Monitor: r.GetMonitor(), State: "closed"}}, nil
}

// ListPorts sends a message for each port: a client must put pages together.
func (f *fakeHost) ListPorts(_ *apiv1.ListPortsRequest, s grpc.ServerStreamingServer[apiv1.ListPortsResponse]) error {
	for _, p := range f.ports {
		if err := s.Send(&apiv1.ListPortsResponse{Ports: []*apiv1.Port{p}}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeHost) GetPort(_ context.Context, r *apiv1.GetPortRequest) (*apiv1.GetPortResponse, error) {
	for _, p := range f.ports {
		if p.GetName() == r.GetName() {
			return &apiv1.GetPortResponse{Port: p}, nil
		}
	}
	return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPort, "port %q does not exist", r.GetName())
}

func (f *fakeHost) DeletePort(_ context.Context, r *apiv1.DeletePortRequest) (*apiv1.DeletePortResponse, error) {
	return nil, spoolerr.New(spoolerr.Busy, 0, "port %q is used by printer \"Office\"", r.GetName())
}

func (f *fakeHost) SendRecvBidiData(context.Context, *apiv1.SendRecvBidiDataRequest) (*apiv1.SendRecvBidiDataResponse, error) {
	return &apiv1.SendRecvBidiDataResponse{Items: []*apiv1.BidiItem{
		{Number: 1, Schema: `\Printer.Consumables.BlackToner:Level`, Type: "INT", Value: "25"}, {Number: 2, Schema: `\C:D`, Result: 13005},
	}}, nil
}

func (f *fakeHost) SetPortTimeOuts(context.Context, *apiv1.SetPortTimeOutsRequest) (*apiv1.SetPortTimeOutsResponse, error) {
	return &apiv1.SetPortTimeOutsResponse{}, nil
}

func (f *fakeHost) GetPrinterData(context.Context, *apiv1.GetPrinterDataRequest) (*apiv1.GetPrinterDataResponse, error) {
	return &apiv1.GetPrinterDataResponse{Output: portconfig.EncodeText("10,20")}, nil
}

func (f *fakeHost) AddPrinter(_ context.Context, r *apiv1.AddPrinterRequest) (*apiv1.AddPrinterResponse, error) {
	return &apiv1.AddPrinterResponse{Printer: &apiv1.Printer{Name: r.GetName(), Ports: r.GetSettings().GetPorts(), State: "idle"}}, nil
}

func (f *fakeHost) ListPrinters(_ *apiv1.ListPrintersRequest, s grpc.ServerStreamingServer[apiv1.ListPrintersResponse]) error {
	return s.Send(&apiv1.ListPrintersResponse{Printers: f.printers})
}

func (f *fakeHost) printer(name string) (*apiv1.Printer, error) {
	for _, p := range f.printers {
		if p.GetName() == name {
			return p, nil
		}
	}
	return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeInvalidPrinterName, "printer %q does not exist", name)
}

func (f *fakeHost) GetPrinter(_ context.Context, r *apiv1.GetPrinterRequest) (*apiv1.GetPrinterResponse, error) {
	p, err := f.printer(r.GetName())
	return &apiv1.GetPrinterResponse{Printer: p}, err
}

func (f *fakeHost) UpdatePrinter(_ context.Context, r *apiv1.UpdatePrinterRequest) (*apiv1.UpdatePrinterResponse, error) {
	p, err := f.printer(r.GetName())
	return &apiv1.UpdatePrinterResponse{Printer: p}, err
}

func (f *fakeHost) PausePrinter(_ context.Context, r *apiv1.PausePrinterRequest) (*apiv1.PausePrinterResponse, error) {
	p, err := f.printer(r.GetName())
	return &apiv1.PausePrinterResponse{Printer: p}, err
}

func (f *fakeHost) ResumePrinter(_ context.Context, r *apiv1.ResumePrinterRequest) (*apiv1.ResumePrinterResponse, error) {
	p, err := f.printer(r.GetName())
	return &apiv1.ResumePrinterResponse{Printer: p}, err
}

func (f *fakeHost) PurgePrinter(_ context.Context, r *apiv1.PurgePrinterRequest) (*apiv1.PurgePrinterResponse, error) {
	_, err := f.printer(r.GetName())
	return &apiv1.PurgePrinterResponse{Cancelled: 2}, err
}

func (f *fakeHost) DeletePrinter(_ context.Context, r *apiv1.DeletePrinterRequest) (*apiv1.DeletePrinterResponse, error) {
	_, err := f.printer(r.GetName())
	return &apiv1.DeletePrinterResponse{}, err
}

func (f *fakeHost) SubmitJob(s grpc.ClientStreamingServer[apiv1.SubmitJobRequest, apiv1.SubmitJobResponse]) error {
	first, err := s.Recv()
	if err != nil {
		f.broken <- struct{}{}
		return err
	}
	header := first.GetHeader()
	if _, err := f.printer(header.GetPrinter()); err != nil {
		return err
	}
	var doc []byte
	for {
		m, err := s.Recv()
		if err != nil { // Also io.EOF: a stream without the end part is no document.
			f.broken <- struct{}{}
			return spoolerr.New(spoolerr.Cancelled, 0, "the submission broke off")
		}
		if end := m.GetEnd(); end != nil {
			if end.GetSize() != uint64(len(doc)) {
				return spoolerr.New(spoolerr.Invalid, 0, "%d bytes arrived of %d", len(doc), end.GetSize())
			}
			return s.SendAndClose(&apiv1.SubmitJobResponse{Job: f.submit(header, doc)})
		}
		doc = append(doc, m.GetChunk()...)
		f.arrived <- struct{}{}
	}
}

func (f *fakeHost) ListJobs(_ *apiv1.ListJobsRequest, s grpc.ServerStreamingServer[apiv1.ListJobsResponse]) error {
	return s.Send(&apiv1.ListJobsResponse{Jobs: f.jobs})
}

func (f *fakeHost) GetJob(_ context.Context, r *apiv1.GetJobRequest) (*apiv1.GetJobResponse, error) {
	j, err := f.job(r.GetId())
	return &apiv1.GetJobResponse{Job: j}, err
}

func (f *fakeHost) WatchJob(r *apiv1.WatchJobRequest, s grpc.ServerStreamingServer[apiv1.WatchJobResponse]) error {
	for _, j := range f.watch {
		j.Id = r.GetId()
		if err := s.Send(&apiv1.WatchJobResponse{Job: j}); err != nil {
			return err
		}
	}
	if f.hang {
		f.arrived <- struct{}{}
		<-s.Context().Done()
		return s.Context().Err()
	}
	return nil
}

func (f *fakeHost) CancelJob(_ context.Context, r *apiv1.CancelJobRequest) (*apiv1.CancelJobResponse, error) {
	j, err := f.job(r.GetId())
	return &apiv1.CancelJobResponse{Job: j}, err
}

func (f *fakeHost) MoveJob(_ context.Context, r *apiv1.MoveJobRequest) (*apiv1.MoveJobResponse, error) {
	j, err := f.job(r.GetId())
	return &apiv1.MoveJobResponse{Job: j}, err
}

func (f *fakeHost) GetValue(_ context.Context, r *apiv1.GetValueRequest) (*apiv1.GetValueResponse, error) {
	v, ok := f.values[r.GetPath()+`\`+r.GetName()]
	if !ok {
		return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "value %q does not exist", r.GetName())
	}
	return &apiv1.GetValueResponse{Value: v}, nil
}

func (f *fakeHost) SetValue(_ context.Context, r *apiv1.SetValueRequest) (*apiv1.SetValueResponse, error) {
	f.values[r.GetPath()+`\`+r.GetValue().GetName()] = r.GetValue()
	return &apiv1.SetValueResponse{}, nil
}

func (f *fakeHost) DeleteValue(context.Context, *apiv1.DeleteValueRequest) (*apiv1.DeleteValueResponse, error) {
	return &apiv1.DeleteValueResponse{}, nil
}

func (f *fakeHost) ListKey(context.Context, *apiv1.ListKeyRequest) (*apiv1.ListKeyResponse, error) {
	return &apiv1.ListKeyResponse{Keys: []string{"Ports"}, Values: []*apiv1.RegistryValue{{Name: "Hosts", Type: "REG_MULTI_SZ", Text: "a\nb"}}}, nil
}

func (f *fakeHost) ExportKey(_ *apiv1.ExportKeyRequest, s grpc.ServerStreamingServer[apiv1.ExportKeyResponse]) error {
	for _, path := range []string{"Monitors", `Monitors\Acme`} {
		key := &apiv1.RegistryKey{Path: path, Values: []*apiv1.RegistryValue{{Type: "REG_SZ", Data: []byte{65, 0, 0, 0}, Text: "A"}}}
		if err := s.Send(&apiv1.ExportKeyResponse{Key: key}); err != nil {
			return err
		}
	}
	return nil
}

// failingReader gives some bytes and then an error.
type failingReader struct {
	rest []byte
	err  error
}

func (r *failingReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

var _ io.Reader = (*failingReader)(nil)
