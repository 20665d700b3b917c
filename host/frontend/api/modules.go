package api

import (
	"context"

	"github.com/spoolhost/spoolhost/host/catalog"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

type modulesServer struct {
	apiv1.UnimplementedModulesServer
	*Server
}

func (s *modulesServer) AddModule(ctx context.Context, r *apiv1.AddModuleRequest) (*apiv1.AddModuleResponse, error) {
	m, err := s.cfg.Dialogues.Modules.Add(ctx, catalog.Module{
		Name: r.GetName(), Kind: r.GetKind(), Path: r.GetModule(), Args: r.GetArgs(), Digest: r.GetDigest(),
	})
	if err != nil {
		return nil, err
	}
	return &apiv1.AddModuleResponse{Module: moduleToProto(m)}, nil
}

func (s *modulesServer) ListModules(context.Context, *apiv1.ListModulesRequest) (*apiv1.ListModulesResponse, error) {
	return &apiv1.ListModulesResponse{Modules: convertAll(s.cfg.Dialogues.Modules.List(), moduleToProto)}, nil
}

func (s *modulesServer) GetModule(_ context.Context, r *apiv1.GetModuleRequest) (*apiv1.GetModuleResponse, error) {
	m, err := s.cfg.Dialogues.Modules.Get(r.GetName())
	if err != nil {
		return nil, err
	}
	return &apiv1.GetModuleResponse{Module: moduleToProto(m)}, nil
}

func (s *modulesServer) RemoveModule(ctx context.Context, r *apiv1.RemoveModuleRequest) (*apiv1.RemoveModuleResponse, error) {
	return &apiv1.RemoveModuleResponse{}, s.cfg.Dialogues.Modules.Remove(ctx, r.GetName())
}

func moduleToProto(m catalog.Module) *apiv1.Module {
	return &apiv1.Module{
		Name: m.Name, Kind: m.Kind, Module: m.Path, Args: m.Args, Digest: m.Digest, ModuleName: m.ModuleName,
		ModuleVersion: m.ModuleVersion, Builtin: m.Builtin, AddedAt: stamp(m.Added),
	}
}
