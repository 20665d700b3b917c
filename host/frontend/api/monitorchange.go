package api

import (
	"context"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func (s *monitorsServer) UpgradeMonitor(ctx context.Context, r *apiv1.UpgradeMonitorRequest) (*apiv1.UpgradeMonitorResponse, error) {
	to := catalog.Upgrade{Path: r.GetModule(), Digest: r.GetDigest()}
	if r.GetReplaceArgs() {
		to.Args = append([]string{}, r.GetArgs()...)
	}
	m, err := s.cfg.Catalog.Upgraded(ctx, r.GetName(), to)
	if err == nil {
		err = spooler.ReplaceMonitor(ctx, s.cfg.Catalog, s.cfg.Spoolers(), m, false)
	}
	if err != nil {
		return nil, err
	}
	return &apiv1.UpgradeMonitorResponse{Monitor: s.show(m)}, nil
}

func (s *monitorsServer) UpdateMonitor(ctx context.Context, r *apiv1.UpdateMonitorRequest) (*apiv1.UpdateMonitorResponse, error) {
	m, err := s.cfg.Catalog.WithOptions(r.GetName(), func(o *catalog.Options) { changeOptions(o, r.GetOptions()) })
	if err == nil {
		err = spooler.ReplaceMonitor(ctx, s.cfg.Catalog, s.cfg.Spoolers(), m, true)
	}
	if err != nil {
		return nil, err
	}
	return &apiv1.UpdateMonitorResponse{Monitor: s.show(m)}, nil
}
