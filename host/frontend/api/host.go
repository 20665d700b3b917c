package api

import (
	"context"
	"os"

	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

type hostServer struct {
	apiv1.UnimplementedHostServer
	*Server
}

func (s *hostServer) GetStatus(ctx context.Context, _ *apiv1.GetStatusRequest) (*apiv1.GetStatusResponse, error) {
	c := callerOf(ctx)
	resp := &apiv1.GetStatusResponse{
		Version: s.cfg.Info.Version, Pid: int32(os.Getpid()), StartedAt: stamp(s.cfg.Info.Started),
		Data: s.cfg.Info.Data, Listen: s.cfg.Info.Listen(), Role: c.Role.String(), User: c.Name,
		Identity: s.cfg.Info.Identity,
	}
	for _, sp := range s.cfg.Spoolers() {
		resp.Spoolers = append(resp.Spoolers, statusOf(sp, len(s.cfg.Catalog.List())))
	}
	return resp, nil
}

func statusOf(sp *spooler.Spooler, monitors int) *apiv1.SpoolerStatus {
	st := &apiv1.SpoolerStatus{
		Name: sp.Name(), State: sp.State(), Problems: sp.Problems(), Jobs: make(map[string]uint32),
		Monitors: uint32(monitors), Ports: uint32(len(sp.Ports())), Printers: uint32(len(sp.Printers())),
	}
	for state, n := range sp.Queue().States() {
		st.Jobs[string(state)] = uint32(n)
	}
	return st
}
