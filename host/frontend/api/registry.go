package api

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"google.golang.org/grpc"

	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/registry"
)

type registryServer struct {
	apiv1.UnimplementedRegistryServer
	*Server
}

func (s *registryServer) hive(spooler string) (*hostregistry.Hive, error) {
	sp, err := s.spooler(spooler)
	if err != nil {
		return nil, err
	}
	return sp.Hive(), nil
}

func (s *registryServer) ListKey(ctx context.Context, r *apiv1.ListKeyRequest) (*apiv1.ListKeyResponse, error) {
	h, err := s.hive(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	keys, err := h.SubKeys(ctx, r.GetPath())
	if err != nil {
		return nil, err
	}
	values, err := h.Values(ctx, r.GetPath())
	if err != nil {
		return nil, err
	}
	return &apiv1.ListKeyResponse{
		Keys:   convertAll(keys, func(k registry.KeyInfo) string { return k.Name }),
		Values: convertAll(values, valueToProto),
	}, nil
}

func (s *registryServer) GetValue(ctx context.Context, r *apiv1.GetValueRequest) (*apiv1.GetValueResponse, error) {
	h, err := s.hive(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	v, err := h.QueryValue(ctx, r.GetPath(), r.GetName())
	if err != nil {
		return nil, err
	}
	return &apiv1.GetValueResponse{Value: valueToProto(v)}, nil
}

func (s *registryServer) SetValue(ctx context.Context, r *apiv1.SetValueRequest) (*apiv1.SetValueResponse, error) {
	h, err := s.hive(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	typ, err := registry.ParseType(r.GetValue().GetType())
	if err != nil {
		return nil, err
	}
	if _, err := h.CreateKey(ctx, r.GetPath()); err != nil {
		return nil, err
	}
	v := registry.Value{Name: r.GetValue().GetName(), Type: typ, Data: r.GetValue().GetData()}
	return &apiv1.SetValueResponse{}, h.SetValues(ctx, r.GetPath(), v)
}

func (s *registryServer) DeleteValue(ctx context.Context, r *apiv1.DeleteValueRequest) (*apiv1.DeleteValueResponse, error) {
	h, err := s.hive(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	if r.GetTree() {
		return &apiv1.DeleteValueResponse{}, h.DeleteTree(ctx, r.GetPath())
	}
	return &apiv1.DeleteValueResponse{}, h.DeleteValue(ctx, r.GetPath(), r.GetName())
}

func (s *registryServer) ExportKey(r *apiv1.ExportKeyRequest, stream grpc.ServerStreamingServer[apiv1.ExportKeyResponse]) error {
	h, err := s.hive(r.GetSpooler())
	if err != nil {
		return err
	}
	// The walk runs on one snapshot and must be quick: collect first, send afterwards.
	var keys []*apiv1.RegistryKey
	err = h.Walk(stream.Context(), r.GetPath(), func(e hostregistry.Entry) error {
		keys = append(keys, &apiv1.RegistryKey{Path: e.Path, Values: convertAll(e.Values, valueToProto)})
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := stream.Send(&apiv1.ExportKeyResponse{Key: k}); err != nil {
			return err
		}
	}
	return nil
}

func valueToProto(v registry.Value) *apiv1.RegistryValue {
	return &apiv1.RegistryValue{Name: v.Name, Type: v.Type.String(), Data: v.Data, Text: valueText(v)}
}

// valueText shows the data in words where its type has some, else in hexadecimal.
func valueText(v registry.Value) string {
	switch v.Type {
	case registry.SZ, registry.ExpandSZ:
		if s, err := v.Text(); err == nil {
			return s
		}
	case registry.MultiSZ:
		if list, err := v.List(); err == nil {
			return strings.Join(list, "\n")
		}
	case registry.DWORD, registry.QWORD:
		if n, err := v.Number(); err == nil {
			return strconv.FormatUint(n, 10)
		}
	}
	return hex.EncodeToString(v.Data)
}
