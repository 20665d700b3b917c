package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

type monitorsServer struct {
	apiv1.UnimplementedMonitorsServer
	*Server
}

func (s *monitorsServer) AddMonitor(ctx context.Context, r *apiv1.AddMonitorRequest) (*apiv1.AddMonitorResponse, error) {
	m, err := s.cfg.Catalog.Add(ctx, r.GetName(), r.GetModule(), r.GetArgs(), r.GetDigest())
	if err != nil {
		return nil, err
	}
	for _, sp := range s.cfg.Spoolers() {
		if err := sp.StartMonitor(m); err != nil {
			return nil, err
		}
		sp.WaitStarted(ctx)
	}
	return &apiv1.AddMonitorResponse{Monitor: s.show(m)}, nil
}

func (s *monitorsServer) ListMonitors(_ *apiv1.ListMonitorsRequest, stream grpc.ServerStreamingServer[apiv1.ListMonitorsResponse]) error {
	return pages(s.cfg.Catalog.List(), func(page []catalog.Monitor) error {
		return stream.Send(&apiv1.ListMonitorsResponse{Monitors: convertAll(page, s.show)})
	})
}

func (s *monitorsServer) GetMonitor(_ context.Context, r *apiv1.GetMonitorRequest) (*apiv1.GetMonitorResponse, error) {
	m, err := s.cfg.Catalog.Get(r.GetName())
	if err != nil {
		return nil, err
	}
	return &apiv1.GetMonitorResponse{Monitor: s.show(m)}, nil
}

func (s *monitorsServer) RemoveMonitor(ctx context.Context, r *apiv1.RemoveMonitorRequest) (*apiv1.RemoveMonitorResponse, error) {
	m, err := s.cfg.Catalog.Get(r.GetName())
	if err != nil {
		return nil, err
	}
	for _, sp := range s.cfg.Spoolers() {
		if err := sp.CheckMonitorUnused(m.Name); err != nil {
			return nil, err
		}
	}
	if err := s.cfg.Catalog.Remove(ctx, m.Name); err != nil {
		return nil, err
	}
	for _, sp := range s.cfg.Spoolers() {
		if err := sp.StopMonitor(ctx, m.Name); err != nil {
			return nil, err
		}
	}
	return &apiv1.RemoveMonitorResponse{}, nil
}

func (s *monitorsServer) RestartMonitor(_ context.Context, r *apiv1.RestartMonitorRequest) (*apiv1.RestartMonitorResponse, error) {
	only := r.GetSpooler()
	if m, err := s.cfg.Catalog.Get(r.GetName()); err == nil && m.Options.Isolation == catalog.Shared {
		only = "" // its process ends when every spooler has left it
	}
	s.cfg.Catalog.Renew(r.GetName())
	m, err := s.inSpoolers(r.GetName(), only, (*spooler.Spooler).RestartMonitor)
	return &apiv1.RestartMonitorResponse{Monitor: m}, err
}

func (s *monitorsServer) ResumeMonitor(_ context.Context, r *apiv1.ResumeMonitorRequest) (*apiv1.ResumeMonitorResponse, error) {
	m, err := s.inSpoolers(r.GetName(), r.GetSpooler(), (*spooler.Spooler).ResumeMonitor)
	return &apiv1.ResumeMonitorResponse{Monitor: m}, err
}

// inSpoolers does something with a monitor in one spooler or, if none is named, in all.
func (s *monitorsServer) inSpoolers(name, only string, do func(*spooler.Spooler, string) error) (*apiv1.Monitor, error) {
	m, err := s.cfg.Catalog.Get(name)
	if err != nil {
		return nil, err
	}
	for _, sp := range s.cfg.Spoolers() {
		if only != "" && spool.Fold(only) != spool.Fold(sp.Name()) {
			continue
		}
		if err := do(sp, m.Name); err != nil {
			return nil, err
		}
	}
	return s.show(m), nil
}
