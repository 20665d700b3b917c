package monitortest

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// The ten functions of MONITORREG, on a registry in memory.

// keep gives a key that was opened its handle.
func (h *hostServices) keep(s *spooler, k registry.Key) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.opened++
	s.last++ // numbers are never used twice
	s.keys[s.root+s.last] = k
	return s.root + s.last
}

// CreateKey implements MonitorRegistry.
func (h *hostServices) CreateKey(ctx context.Context, r *hostservicev1.CreateKeyRequest) (*hostservicev1.CreateKeyResponse, error) {
	s, k, err := h.find("CreateKey", r.GetSpooler(), &r.Key)
	if err != nil {
		return nil, err
	}
	sub, created, err := k.CreateKey(ctx, r.GetPath())
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &hostservicev1.CreateKeyResponse{Key: h.keep(s, sub), Created: created}, nil
}

// OpenKey implements MonitorRegistry.
func (h *hostServices) OpenKey(ctx context.Context, r *hostservicev1.OpenKeyRequest) (*hostservicev1.OpenKeyResponse, error) {
	s, k, err := h.find("OpenKey", r.GetSpooler(), &r.Key)
	if err != nil {
		return nil, err
	}
	sub, err := k.OpenKey(ctx, r.GetPath())
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &hostservicev1.OpenKeyResponse{Key: h.keep(s, sub)}, nil
}

// CloseKey implements MonitorRegistry.
func (h *hostServices) CloseKey(ctx context.Context, r *hostservicev1.CloseKeyRequest) (*hostservicev1.CloseKeyResponse, error) {
	s, k, err := h.find("CloseKey", r.GetSpooler(), &r.Key)
	if err != nil {
		return nil, err
	}
	h.look(func() {
		delete(s.keys, r.GetKey())
		if r.GetKey() != s.root {
			s.opened--
		}
	})
	return &hostservicev1.CloseKeyResponse{}, spoolgrpc.ToStatus(k.CloseKey(ctx))
}

// DeleteKey implements MonitorRegistry.
func (h *hostServices) DeleteKey(ctx context.Context, r *hostservicev1.DeleteKeyRequest) (*hostservicev1.DeleteKeyResponse, error) {
	_, k, err := h.find("DeleteKey", r.GetSpooler(), &r.Key)
	if err == nil {
		err = spoolgrpc.ToStatus(k.DeleteKey(ctx, r.GetPath()))
	}
	return &hostservicev1.DeleteKeyResponse{}, err
}

// EnumKey implements MonitorRegistry.
func (h *hostServices) EnumKey(ctx context.Context, r *hostservicev1.EnumKeyRequest) (*hostservicev1.EnumKeyResponse, error) {
	_, k, err := h.find("EnumKey", r.GetSpooler(), &r.Key)
	if err != nil {
		return nil, err
	}
	info, err := k.EnumKey(ctx, r.GetIndex())
	return &hostservicev1.EnumKeyResponse{Name: info.Name, LastWrite: timestamppb.New(info.LastWrite)}, spoolgrpc.ToStatus(err)
}

// QueryInfoKey implements MonitorRegistry.
func (h *hostServices) QueryInfoKey(ctx context.Context, r *hostservicev1.QueryInfoKeyRequest) (*hostservicev1.QueryInfoKeyResponse, error) {
	_, k, err := h.find("QueryInfoKey", r.GetSpooler(), &r.Key)
	if err != nil {
		return nil, err
	}
	i, err := k.QueryInfoKey(ctx)
	return &hostservicev1.QueryInfoKeyResponse{
		SubKeys: i.SubKeys, Values: i.Values, MaxSubKeyLen: i.MaxSubKeyLen, MaxValueNameLen: i.MaxValueNameLen,
		MaxData: i.MaxData, LastWrite: timestamppb.New(i.LastWrite),
	}, spoolgrpc.ToStatus(err)
}

// SetValue implements MonitorRegistry.
func (h *hostServices) SetValue(ctx context.Context, r *hostservicev1.SetValueRequest) (*hostservicev1.SetValueResponse, error) {
	_, k, err := h.find("SetValue", r.GetSpooler(), &r.Key)
	if err != nil {
		return nil, err
	}
	values := make([]registry.Value, 0, len(r.GetValues()))
	for _, v := range r.GetValues() {
		values = append(values, registry.Value{Name: v.GetName(), Type: registry.Type(v.GetType()), Data: v.GetData()})
	}
	return &hostservicev1.SetValueResponse{}, spoolgrpc.ToStatus(k.SetValue(ctx, values...))
}

// DeleteValue implements MonitorRegistry.
func (h *hostServices) DeleteValue(ctx context.Context, r *hostservicev1.DeleteValueRequest) (*hostservicev1.DeleteValueResponse, error) {
	_, k, err := h.find("DeleteValue", r.GetSpooler(), &r.Key)
	if err == nil {
		err = spoolgrpc.ToStatus(k.DeleteValue(ctx, r.GetName()))
	}
	return &hostservicev1.DeleteValueResponse{}, err
}

// EnumValue implements MonitorRegistry.
func (h *hostServices) EnumValue(ctx context.Context, r *hostservicev1.EnumValueRequest) (*hostservicev1.EnumValueResponse, error) {
	_, k, err := h.find("EnumValue", r.GetSpooler(), &r.Key)
	if err != nil {
		return nil, err
	}
	v, err := k.EnumValue(ctx, r.GetIndex())
	if err == nil {
		err = h.fits(v, r.GetMaxData())
	}
	return &hostservicev1.EnumValueResponse{Value: valueToProto(v)}, spoolgrpc.ToStatus(err)
}

// QueryValue implements MonitorRegistry.
func (h *hostServices) QueryValue(ctx context.Context, r *hostservicev1.QueryValueRequest) (*hostservicev1.QueryValueResponse, error) {
	_, k, err := h.find("QueryValue", r.GetSpooler(), &r.Key)
	if err != nil {
		return nil, err
	}
	v, err := k.QueryValue(ctx, r.GetName())
	if err == nil {
		err = h.fits(v, r.GetMaxData())
	}
	return &hostservicev1.QueryValueResponse{Value: valueToProto(v)}, spoolgrpc.ToStatus(err)
}

// fits is the protocol of ERROR_MORE_DATA; 0 takes any size.
func (h *hostServices) fits(v registry.Value, room uint32) error {
	if room == 0 {
		return nil
	}
	need := len(v.Data)
	h.look(func() {
		h.bounded = true
		if h.squeeze {
			need = max(need, 64<<10)
		}
	})
	if uint64(need) <= uint64(room) {
		return nil
	}
	return spoolerr.New(spoolerr.MoreData, 0, "registry value %s has %d bytes, there is room for %d", spool.Quote(v.Name), need, room)
}

func valueToProto(v registry.Value) *hostservicev1.Value {
	return &hostservicev1.Value{Name: v.Name, Type: uint32(v.Type), Data: v.Data}
}
