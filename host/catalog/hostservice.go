package catalog

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/supervisor"
	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	sdkregistry "github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// instances are the monitor instances of one process, by the token that the module
// presents. A token of another process is unknown here, so that no module can speak for
// another one's instance.
type instances struct {
	mu      sync.Mutex
	byToken map[string]instance
	refused sync.Once
}

// full tells the operator, once in the life of a process, that a module has run into one
// of its limits.
func (s *instances) full(i instance, err error) error {
	if errors.Is(err, spoolerr.Exhausted) && i.log != nil {
		s.refused.Do(func() { i.log(supervisor.Line{Time: time.Now(), Level: "warn", Complaint: true, Text: err.Error()}) })
	}
	return spoolgrpc.ToStatus(err)
}

type instance struct {
	root      *registry.Root
	callbacks wire.Callbacks
	log       func(supervisor.Line)
	// rootKey is what key 0 means to an unconverted monitor; 0 for others.
	rootKey registry.Handle
}

// key gives the registry handle that a request names.
func (i instance) key(named uint64) registry.Handle {
	if named == 0 {
		return i.rootKey
	}
	return registry.Handle(named)
}

func (s *instances) register(r grpc.ServiceRegistrar) {
	hostservicev1.RegisterMonitorRegistryServer(r, &registryServer{instances: s})
	hostservicev1.RegisterSpoolerServer(r, &spoolerServer{instances: s})
}

func (s *instances) add(token string, i instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byToken == nil {
		s.byToken = make(map[string]instance)
	}
	s.byToken[token] = i
}

func (s *instances) remove(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byToken, token)
}

func (s *instances) get(token string) (instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.byToken[token]
	if !ok {
		return instance{}, spoolgrpc.ToStatus(spoolerr.New(spoolerr.BadHandle, 0,
			"the spooler handle is not valid: it was never given to this module, or its instance was shut down"))
	}
	return i, nil
}

// said passes what the module wrote to everybody who uses it.
func (s *instances) said(l supervisor.Line) {
	s.mu.Lock()
	logs := make([]func(supervisor.Line), 0, len(s.byToken))
	for _, i := range s.byToken {
		if i.log != nil {
			logs = append(logs, i.log)
		}
	}
	s.mu.Unlock()
	for _, log := range logs {
		log(l)
	}
}

type spoolerServer struct {
	hostservicev1.UnimplementedSpoolerServer
	instances *instances
}

func (s *spoolerServer) SetJob(ctx context.Context, r *hostservicev1.SetJobRequest) (*hostservicev1.SetJobResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err == nil {
		err = spoolgrpc.ToStatus(i.callbacks.SetJob(ctx, r.GetJobId(), spool.JobControl(r.GetControl())))
	}
	return &hostservicev1.SetJobResponse{}, err
}

func (s *spoolerServer) SetPort(ctx context.Context, r *hostservicev1.SetPortRequest) (*hostservicev1.SetPortResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err == nil {
		const maxText = 512
		err = spoolgrpc.ToStatus(i.callbacks.SetPort(ctx, r.GetPort(), spool.PortStatus{
			Code: spool.PortStatusCode(r.GetStatus()), Text: text(r.GetText(), maxText), Severity: spool.Severity(r.GetSeverity()),
		}))
	}
	return &hostservicev1.SetPortResponse{}, err
}

// registryServer is MONITORREG over the wire.
type registryServer struct {
	hostservicev1.UnimplementedMonitorRegistryServer
	instances *instances
}

func (s *registryServer) CreateKey(ctx context.Context, r *hostservicev1.CreateKeyRequest) (*hostservicev1.CreateKeyResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	h, created, err := i.root.CreateKey(ctx, i.key(r.GetKey()), r.GetPath())
	return &hostservicev1.CreateKeyResponse{Key: uint64(h), Created: created}, s.instances.full(i, err)
}

func (s *registryServer) OpenKey(ctx context.Context, r *hostservicev1.OpenKeyRequest) (*hostservicev1.OpenKeyResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	h, err := i.root.OpenKey(ctx, i.key(r.GetKey()), r.GetPath())
	return &hostservicev1.OpenKeyResponse{Key: uint64(h)}, s.instances.full(i, err)
}

func (s *registryServer) CloseKey(ctx context.Context, r *hostservicev1.CloseKeyRequest) (*hostservicev1.CloseKeyResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err == nil {
		err = spoolgrpc.ToStatus(i.root.CloseKey(ctx, i.key(r.GetKey())))
	}
	return &hostservicev1.CloseKeyResponse{}, err
}

func (s *registryServer) DeleteKey(ctx context.Context, r *hostservicev1.DeleteKeyRequest) (*hostservicev1.DeleteKeyResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err == nil {
		err = spoolgrpc.ToStatus(i.root.DeleteKey(ctx, i.key(r.GetKey()), r.GetPath()))
	}
	return &hostservicev1.DeleteKeyResponse{}, err
}

func (s *registryServer) EnumKey(ctx context.Context, r *hostservicev1.EnumKeyRequest) (*hostservicev1.EnumKeyResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	info, err := i.root.EnumKey(ctx, i.key(r.GetKey()), r.GetIndex())
	return &hostservicev1.EnumKeyResponse{Name: info.Name, LastWrite: stamp(info.LastWrite)}, spoolgrpc.ToStatus(err)
}

func (s *registryServer) QueryInfoKey(ctx context.Context, r *hostservicev1.QueryInfoKeyRequest) (*hostservicev1.QueryInfoKeyResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	info, err := i.root.QueryInfoKey(ctx, i.key(r.GetKey()))
	return &hostservicev1.QueryInfoKeyResponse{
		SubKeys: info.SubKeys, Values: info.Values, MaxSubKeyLen: info.MaxSubKeyLen,
		MaxValueNameLen: info.MaxValueNameLen, MaxData: info.MaxData, LastWrite: stamp(info.LastWrite),
	}, spoolgrpc.ToStatus(err)
}

func (s *registryServer) SetValue(ctx context.Context, r *hostservicev1.SetValueRequest) (*hostservicev1.SetValueResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	values := make([]sdkregistry.Value, 0, len(r.GetValues()))
	for _, v := range r.GetValues() {
		values = append(values, sdkregistry.Value{Name: v.GetName(), Type: sdkregistry.Type(v.GetType()), Data: v.GetData()})
	}
	err = i.root.SetValue(ctx, i.key(r.GetKey()), values...)
	return &hostservicev1.SetValueResponse{}, s.instances.full(i, err)
}

func (s *registryServer) DeleteValue(ctx context.Context, r *hostservicev1.DeleteValueRequest) (*hostservicev1.DeleteValueResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err == nil {
		err = spoolgrpc.ToStatus(i.root.DeleteValue(ctx, i.key(r.GetKey()), r.GetName()))
	}
	return &hostservicev1.DeleteValueResponse{}, err
}

func (s *registryServer) EnumValue(ctx context.Context, r *hostservicev1.EnumValueRequest) (*hostservicev1.EnumValueResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	v, err := i.root.EnumValue(ctx, i.key(r.GetKey()), r.GetIndex(), room(r.GetMaxData()))
	return &hostservicev1.EnumValueResponse{Value: valueToProto(v)}, spoolgrpc.ToStatus(err)
}

func (s *registryServer) QueryValue(ctx context.Context, r *hostservicev1.QueryValueRequest) (*hostservicev1.QueryValueResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	v, err := i.root.QueryValue(ctx, i.key(r.GetKey()), r.GetName(), room(r.GetMaxData()))
	return &hostservicev1.QueryValueResponse{Value: valueToProto(v)}, spoolgrpc.ToStatus(err)
}

func (s *registryServer) QueryMultipleValues(ctx context.Context, r *hostservicev1.QueryMultipleValuesRequest) (*hostservicev1.QueryMultipleValuesResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	list, err := i.root.QueryMultipleValues(ctx, registry.Handle(r.GetKey()), r.GetPath())
	resp := &hostservicev1.QueryMultipleValuesResponse{}
	for _, v := range list {
		resp.Values = append(resp.Values, valueToProto(v))
	}
	return resp, spoolgrpc.ToStatus(err)
}

func (s *registryServer) QuerySubKeys(ctx context.Context, r *hostservicev1.QuerySubKeysRequest) (*hostservicev1.QuerySubKeysResponse, error) {
	i, err := s.instances.get(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	list, err := i.root.QuerySubKeys(ctx, i.key(r.GetKey()), r.GetPath(), r.GetAfter())
	resp := &hostservicev1.QuerySubKeysResponse{}
	for _, sub := range list {
		s := &hostservicev1.SubKey{Name: sub.Name, LastWrite: stamp(sub.LastWrite)}
		for _, v := range sub.Values {
			s.Values = append(s.Values, valueToProto(v))
		}
		resp.SubKeys = append(resp.SubKeys, s)
	}
	return resp, spoolgrpc.ToStatus(err)
}

func valueToProto(v sdkregistry.Value) *hostservicev1.Value {
	return &hostservicev1.Value{Name: v.Name, Type: uint32(v.Type), Data: v.Data}
}

func stamp(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }

// room gives the caller's buffer size, where 0 takes any.
func room(maxData uint32) uint32 {
	if maxData == 0 {
		return math.MaxUint32
	}
	return maxData
}
