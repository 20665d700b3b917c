package api

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type printerDataServer struct {
	apiv1.UnimplementedPrinterDataServer
	*Server
}

func (s *printerDataServer) SetPrinterDataEx(ctx context.Context, r *apiv1.SetPrinterDataExRequest) (*apiv1.SetPrinterDataExResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	typ, err := registry.ParseType(r.GetValue().GetType())
	if err != nil {
		return nil, err
	}
	v := registry.Value{Name: r.GetValue().GetName(), Type: typ, Data: r.GetValue().GetData()}
	id, err := sp.SetPrinterDataEx(ctx, r.GetPrinter(), r.GetKey(), v, callerOf(ctx).Name)
	return &apiv1.SetPrinterDataExResponse{ChangeId: id}, err
}

func (s *printerDataServer) GetPrinterDataEx(ctx context.Context, r *apiv1.GetPrinterDataExRequest) (*apiv1.GetPrinterDataExResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	v, err := sp.GetPrinterDataEx(ctx, r.GetPrinter(), r.GetKey(), r.GetValue())
	if err != nil {
		return nil, err
	}
	resp := &apiv1.GetPrinterDataExResponse{Value: valueToProto(v), Needed: uint32(len(v.Data))}
	if resp.Status = sized(r.Size, resp.GetNeeded()); resp.GetStatus() != 0 {
		resp.Value.Data, resp.Value.Text = nil, ""
	}
	return resp, nil
}

// sized is ERROR_MORE_DATA if the caller has less room than is needed.
func sized(room *uint32, needed uint32) uint32 {
	if room != nil && *room < needed {
		return uint32(spoolerr.CodeMoreData)
	}
	return 0
}

func (s *printerDataServer) EnumPrinterDataEx(ctx context.Context, r *apiv1.EnumPrinterDataExRequest) (*apiv1.EnumPrinterDataExResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	list, id, err := sp.EnumPrinterDataEx(ctx, r.GetPrinter(), r.GetKey(), spooler.Client{Server: r.GetServerName(), Info: clientInfo(r.GetClientInfo())})
	if err != nil {
		return nil, err
	}
	return sizedValues(r.Size, list, id), nil
}

// sizedValues is the answer with all values, or with their size alone if there is no room.
func sizedValues(room *uint32, list []registry.Value, id uint32) *apiv1.EnumPrinterDataExResponse {
	const enumValues = 40 // PRINTER_ENUM_VALUES on 64 bits
	needed := 0
	for _, v := range list {
		needed += enumValues + len(registry.String("", v.Name).Data) + len(v.Data)
	}
	resp := &apiv1.EnumPrinterDataExResponse{Needed: uint32(needed), Status: sized(room, uint32(needed)), ChangeId: id}
	if resp.GetStatus() == 0 {
		resp.Values = convertAll(list, valueToProto)
	}
	return resp
}

// clientInfo is what a client says it is, else a host like this one.
func clientInfo(c *apiv1.ClientInfo) pointprint.ClientInfo {
	if c == nil {
		return pointprint.ClientInfo{MajorVersion: 3, ProcessorArchitecture: pointprint.X64}
	}
	return pointprint.ClientInfo{
		BuildNum: c.GetBuildNum(), MajorVersion: c.GetMajorVersion(), MinorVersion: c.GetMinorVersion(),
		ProcessorArchitecture: pointprint.Architecture(c.GetProcessorArchitecture()),
	}
}

func (s *printerDataServer) EnumPrinterKey(ctx context.Context, r *apiv1.EnumPrinterKeyRequest) (*apiv1.EnumPrinterKeyResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	names, id, err := sp.EnumPrinterKey(ctx, r.GetPrinter(), r.GetKey())
	if err != nil {
		return nil, err
	}
	return sizedKeys(r.Size, names, id), nil
}

// sizedKeys is sizedValues for the names of keys.
func sizedKeys(room *uint32, names []string, id uint32) *apiv1.EnumPrinterKeyResponse {
	needed := uint32(len(registry.Strings("", names...).Data))
	resp := &apiv1.EnumPrinterKeyResponse{Needed: needed, Status: sized(room, needed), ChangeId: id}
	if resp.GetStatus() == 0 {
		resp.Keys = names
	}
	return resp
}

func (s *printerDataServer) DeletePrinterDataEx(ctx context.Context, r *apiv1.DeletePrinterDataExRequest) (*apiv1.DeletePrinterDataExResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	id, err := sp.DeletePrinterDataEx(ctx, r.GetPrinter(), r.GetKey(), r.GetValue(), callerOf(ctx).Name)
	return &apiv1.DeletePrinterDataExResponse{ChangeId: id}, err
}

func (s *printerDataServer) DeletePrinterKey(ctx context.Context, r *apiv1.DeletePrinterKeyRequest) (*apiv1.DeletePrinterKeyResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	id, err := sp.DeletePrinterKey(ctx, r.GetPrinter(), r.GetKey(), callerOf(ctx).Name)
	return &apiv1.DeletePrinterKeyResponse{ChangeId: id}, err
}

func (s *printerDataServer) WatchPrinter(r *apiv1.WatchPrinterRequest, stream grpc.ServerStreamingServer[apiv1.WatchPrinterResponse]) error {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return err
	}
	for known := r.GetChangeId(); ; {
		known, err = sp.WatchPrinter(stream.Context(), r.GetPrinter(), known)
		if errors.Is(err, context.Canceled) {
			return nil // the caller is gone
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&apiv1.WatchPrinterResponse{ChangeId: known}); err != nil {
			return err
		}
	}
}
