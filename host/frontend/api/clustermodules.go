package api

import (
	"cmp"
	"context"

	"github.com/spoolhost/spoolhost/host/cluster/modulefile"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// keeper gives the modules that are stored in the cluster.
func (s *modulesServer) keeper() (*modulefile.Keeper, error) {
	if _, err := s.node(); err != nil {
		return nil, err
	}
	return s.cfg.Cluster.Modules, nil
}

func (s *modulesServer) PublishModule(ctx context.Context, r *apiv1.PublishModuleRequest) (*apiv1.PublishModuleResponse, error) {
	k, err := s.keeper()
	if err != nil {
		return nil, err
	}
	m, err := k.Publish(ctx, cmp.Or(r.GetKind(), wire.KindMonitor), r.GetName(), callerOf(ctx).Name)
	if err != nil {
		return nil, err
	}
	return &apiv1.PublishModuleResponse{Module: clusterModuleToProto(modulefile.Standing{Module: m, Here: true})}, nil
}

func (s *modulesServer) ListClusterModules(ctx context.Context, _ *apiv1.ListClusterModulesRequest) (*apiv1.ListClusterModulesResponse, error) {
	k, err := s.keeper()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, routePatience)
	defer cancel()
	list, err := k.List(ctx)
	return &apiv1.ListClusterModulesResponse{Modules: convertAll(list, clusterModuleToProto)}, err
}

func (s *modulesServer) FetchModule(ctx context.Context, r *apiv1.FetchModuleRequest) (*apiv1.FetchModuleResponse, error) {
	k, err := s.keeper()
	if err != nil {
		return nil, err
	}
	m, err := k.Fetch(ctx, cmp.Or(r.GetKind(), wire.KindMonitor), r.GetName())
	if err != nil {
		return nil, err
	}
	return &apiv1.FetchModuleResponse{Module: clusterModuleToProto(modulefile.Standing{Module: m, Here: true})}, nil
}

func (s *modulesServer) WithdrawModule(ctx context.Context, r *apiv1.WithdrawModuleRequest) (*apiv1.WithdrawModuleResponse, error) {
	k, err := s.keeper()
	if err != nil {
		return nil, err
	}
	return &apiv1.WithdrawModuleResponse{}, k.Withdraw(ctx, cmp.Or(r.GetKind(), wire.KindMonitor), r.GetName(), callerOf(ctx).Name)
}

func clusterModuleToProto(s modulefile.Standing) *apiv1.ClusterModule {
	m := s.Module
	return &apiv1.ClusterModule{
		Name: m.Name, Kind: m.Kind, Digest: m.Digest, Size: m.Size, Platform: m.Platform, Args: m.Args, ModuleVersion: m.Version,
		PublishedAt: stamp(m.Published), PublishedBy: m.By, PublishedFrom: m.From, Here: s.Here, Reason: s.Why,
	}
}
