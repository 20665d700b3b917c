package api

import (
	"context"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func (s *monitorsServer) UpgradeMonitor(ctx context.Context, r *apiv1.UpgradeMonitorRequest) (*apiv1.UpgradeMonitorResponse, error) {
	to := catalog.Upgrade{Path: r.GetModule(), Digest: r.GetDigest()}
	if r.GetReplaceArgs() {
		to.Args = append([]string{}, r.GetArgs()...)
	}
	m, err := s.cfg.Catalog.Upgraded(ctx, r.GetName(), to)
	if err == nil {
		err = s.replace(ctx, m, false)
	}
	if err != nil {
		return nil, err
	}
	return &apiv1.UpgradeMonitorResponse{Monitor: s.show(m)}, nil
}

func (s *monitorsServer) UpdateMonitor(ctx context.Context, r *apiv1.UpdateMonitorRequest) (*apiv1.UpdateMonitorResponse, error) {
	m, err := s.cfg.Catalog.WithOptions(r.GetName(), func(o *catalog.Options) { changeOptions(o, r.GetOptions()) })
	if err == nil {
		err = s.replace(ctx, m, true)
	}
	if err != nil {
		return nil, err
	}
	return &apiv1.UpdateMonitorResponse{Monitor: s.show(m)}, nil
}

// replace starts a changed monitor beside the one that is installed, in every spooler;
// only if all starts succeed is it stored and put in the other's place.
func (s *monitorsServer) replace(ctx context.Context, m catalog.Monitor, evenIfBroken bool) (err error) {
	var prepared []*spooler.Replacement
	defer func() {
		if err == nil {
			return
		}
		for _, r := range prepared {
			r.Discard()
		}
	}()
	for _, sp := range s.cfg.Spoolers() {
		if sp.Dormant(m.Name) {
			continue // it will start as what it is then
		}
		r, err := sp.PrepareReplacement(ctx, m, evenIfBroken)
		if err != nil {
			return spoolerr.Wrap(err, "monitor %s stays as it is: the new one did not start in spooler %s", spool.Quote(m.Name), sp.Name())
		}
		prepared = append(prepared, r)
	}
	if err := s.cfg.Catalog.Replace(ctx, m); err != nil {
		return err
	}
	for _, r := range prepared {
		r.Switch()
	}
	return nil
}
