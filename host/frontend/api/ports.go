package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

type portsServer struct {
	apiv1.UnimplementedPortsServer
	*Server
}

func (s *portsServer) AddPort(ctx context.Context, r *apiv1.AddPortRequest) (*apiv1.AddPortResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	if err := sp.AddPort(ctx, r.GetName(), r.GetMonitor(), r.GetSettings()); err != nil {
		return nil, err
	}
	p, err := s.get(sp, r.GetName())
	return &apiv1.AddPortResponse{Port: p}, err
}

func (s *portsServer) get(sp *spooler.Spooler, name string) (*apiv1.Port, error) {
	v, err := sp.Port(name)
	if err != nil {
		return nil, err
	}
	return portToProto(sp.Name(), v), nil
}

func (s *portsServer) ListPorts(r *apiv1.ListPortsRequest, stream grpc.ServerStreamingServer[apiv1.ListPortsResponse]) error {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return err
	}
	return pages(sp.Ports(), func(page []spooler.PortView) error {
		return stream.Send(&apiv1.ListPortsResponse{
			Ports: convertAll(page, func(v spooler.PortView) *apiv1.Port { return portToProto(sp.Name(), v) }),
		})
	})
}

func (s *portsServer) GetPort(_ context.Context, r *apiv1.GetPortRequest) (*apiv1.GetPortResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	p, err := s.get(sp, r.GetName())
	return &apiv1.GetPortResponse{Port: p}, err
}

func (s *portsServer) DeletePort(ctx context.Context, r *apiv1.DeletePortRequest) (*apiv1.DeletePortResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err == nil {
		err = sp.DeletePort(ctx, r.GetName())
	}
	return &apiv1.DeletePortResponse{}, err
}

func (s *portsServer) UpdatePort(ctx context.Context, r *apiv1.UpdatePortRequest) (*apiv1.UpdatePortResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	if err := sp.SetPortLimits(ctx, r.GetName(), portLimitsFromProto(r.GetTimeouts())); err != nil {
		return nil, err
	}
	p, err := s.get(sp, r.GetName())
	return &apiv1.UpdatePortResponse{Port: p}, err
}
