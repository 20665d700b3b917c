package monitor

import (
	"context"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// maxRead bounds one ReadPort, in bytes.
const maxRead = 64 << 10

func (s *server) ReadPort(ctx context.Context, r *monitorv2.ReadPortRequest) (*monitorv2.ReadPortResponse, error) {
	p, err := lookup[Reader](&s.handles, r.GetPort())
	if err != nil {
		return nil, err
	}
	buf := make([]byte, min(r.GetMax(), maxRead))
	n, err := p.Read(ctx, buf)
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.ReadPortResponse{Data: buf[:max(0, min(n, len(buf)))]}, nil
}

func (s *server) GetPrinterDataFromPort(ctx context.Context, r *monitorv2.GetPrinterDataFromPortRequest) (*monitorv2.GetPrinterDataFromPortResponse, error) {
	p, err := lookup[PrinterDataSource](&s.handles, r.GetPort())
	if err != nil {
		return nil, err
	}
	out, err := p.GetPrinterData(ctx, r.GetControlId(), r.GetValueName(), r.GetInput())
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.GetPrinterDataFromPortResponse{Output: out}, nil
}

func (s *server) SetPortTimeOuts(ctx context.Context, r *monitorv2.SetPortTimeOutsRequest) (*monitorv2.SetPortTimeOutsResponse, error) {
	p, err := lookup[TimeOutSetter](&s.handles, r.GetPort())
	if err != nil {
		return nil, err
	}
	err = p.SetTimeOuts(ctx, spool.TimeOuts{
		ReadInterval: r.GetReadInterval(), ReadTotalMultiplier: r.GetReadTotalMultiplier(),
		ReadTotalConstant: r.GetReadTotalConstant(), WriteTotalMultiplier: r.GetWriteTotalMultiplier(),
		WriteTotalConstant: r.GetWriteTotalConstant(),
	})
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.SetPortTimeOutsResponse{}, nil
}

func (s *server) SendRecvBidiDataFromPort(ctx context.Context, r *monitorv2.SendRecvBidiDataFromPortRequest) (*monitorv2.SendRecvBidiDataFromPortResponse, error) {
	p, err := lookup[BidiPort](&s.handles, r.GetPort())
	if err != nil {
		return nil, err
	}
	var requests []spool.BidiRequest
	for _, q := range r.GetRequests() {
		requests = append(requests, spool.BidiRequest{
			Number: q.GetNumber(), Schema: q.GetSchema(),
			Data: spool.BidiData{Type: spool.BidiType(q.GetData().GetType()), Data: q.GetData().GetData()},
		})
	}
	answers, err := p.SendRecvBidiData(ctx, spool.BidiAccess(r.GetAccess()), r.GetAction(), requests)
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	resp := &monitorv2.SendRecvBidiDataFromPortResponse{}
	for _, a := range answers {
		resp.Responses = append(resp.Responses, &monitorv2.BidiResponse{
			Result: a.Result, Number: a.Number, Schema: valid(a.Schema),
			Data: &monitorv2.BidiData{Type: uint32(a.Data.Type), Data: a.Data.Data},
		})
	}
	return resp, nil
}

func (s *server) NotifyUsedPorts(ctx context.Context, r *monitorv2.NotifyUsedPortsRequest) (*monitorv2.NotifyUsedPortsResponse, error) {
	m, err := lookup[PortUseObserver](&s.handles, r.GetMonitor())
	if err != nil {
		return nil, err
	}
	if err := m.NotifyUsedPorts(ctx, r.GetPorts()); err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.NotifyUsedPortsResponse{}, nil
}

func (s *server) NotifyUnusedPorts(ctx context.Context, r *monitorv2.NotifyUnusedPortsRequest) (*monitorv2.NotifyUnusedPortsResponse, error) {
	m, err := lookup[PortUseObserver](&s.handles, r.GetMonitor())
	if err != nil {
		return nil, err
	}
	if err := m.NotifyUnusedPorts(ctx, r.GetPorts()); err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.NotifyUnusedPortsResponse{}, nil
}

func (s *server) PowerEvent(ctx context.Context, r *monitorv2.PowerEventRequest) (*monitorv2.PowerEventResponse, error) {
	m, err := lookup[PowerObserver](&s.handles, r.GetMonitor())
	if err != nil {
		return nil, err
	}
	if err := m.PowerEvent(ctx, spool.PowerEvent(r.GetEvent())); err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.PowerEventResponse{}, nil
}
