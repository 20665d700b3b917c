package wire

import (
	"context"

	"google.golang.org/grpc"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// Callbacks is what a spooler takes from a monitor; monitor.Spooler has the same methods.
type Callbacks interface {
	SetJob(ctx context.Context, jobID uint64, control spool.JobControl) error
	SetPort(ctx context.Context, port string, status spool.PortStatus) error
}

// Host is a module's connection to the host services.
type Host struct {
	conn      grpc.ClientConnInterface
	documents *Documents
}

// NewHost wraps a connection to the host services.
func NewHost(conn grpc.ClientConnInterface) *Host { return &Host{conn: conn} }

// Over gives the same host through another connection, made of this one: for tests that
// look at or change what a module asks.
func (h *Host) Over(wrap func(grpc.ClientConnInterface) grpc.ClientConnInterface) *Host {
	return &Host{conn: wrap(h.conn), documents: h.documents}
}

// WithDocuments adds the module's end of a socket for documents.
func (h *Host) WithDocuments(d *Documents) *Host {
	h.documents = d
	return h
}

// Documents takes descriptors of documents from the host; nil where there is no socket.
func (h *Host) Documents() *Documents { return h.documents }

// Registry gives the root key of the instance that token stands for.
func (h *Host) Registry(token string, root uint64) registry.Key {
	return &remoteKey{client: hostservicev1.NewMonitorRegistryClient(h.conn), token: token, handle: root}
}

// Spooler gives the callbacks of the instance that token stands for.
func (h *Host) Spooler(token string) Callbacks {
	return &remoteSpooler{client: hostservicev1.NewSpoolerClient(h.conn), token: token}
}

type remoteSpooler struct {
	client hostservicev1.SpoolerClient
	token  string
}

func (s *remoteSpooler) SetJob(ctx context.Context, jobID uint64, control spool.JobControl) error {
	_, err := s.client.SetJob(ctx, &hostservicev1.SetJobRequest{Spooler: s.token, JobId: jobID, Control: uint32(control)})
	return spoolgrpc.FromStatus(err)
}

func (s *remoteSpooler) SetPort(ctx context.Context, port string, st spool.PortStatus) error {
	_, err := s.client.SetPort(ctx, &hostservicev1.SetPortRequest{
		Spooler: s.token, Port: port, Status: uint32(st.Code), Text: spoolgrpc.Clean(st.Text), Severity: uint32(st.Severity),
	})
	return spoolgrpc.FromStatus(err)
}

// remoteKey is a registry key of the host, seen from a module.
type remoteKey struct {
	client hostservicev1.MonitorRegistryClient
	token  string
	handle uint64
}

var (
	_ registry.Key           = (*remoteKey)(nil)
	_ registry.ValuesReader  = (*remoteKey)(nil)
	_ registry.SubKeysReader = (*remoteKey)(nil)
)

func (k *remoteKey) at(handle uint64) *remoteKey {
	return &remoteKey{client: k.client, token: k.token, handle: handle}
}

func (k *remoteKey) CreateKey(ctx context.Context, path string) (registry.Key, bool, error) {
	r, err := k.client.CreateKey(ctx, &hostservicev1.CreateKeyRequest{Spooler: k.token, Key: k.handle, Path: path})
	if err != nil {
		return nil, false, spoolgrpc.FromStatus(err)
	}
	return k.at(r.GetKey()), r.GetCreated(), nil
}

func (k *remoteKey) OpenKey(ctx context.Context, path string) (registry.Key, error) {
	r, err := k.client.OpenKey(ctx, &hostservicev1.OpenKeyRequest{Spooler: k.token, Key: k.handle, Path: path})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	return k.at(r.GetKey()), nil
}

func (k *remoteKey) CloseKey(ctx context.Context) error {
	_, err := k.client.CloseKey(ctx, &hostservicev1.CloseKeyRequest{Spooler: k.token, Key: k.handle})
	return spoolgrpc.FromStatus(err)
}

func (k *remoteKey) DeleteKey(ctx context.Context, path string) error {
	_, err := k.client.DeleteKey(ctx, &hostservicev1.DeleteKeyRequest{Spooler: k.token, Key: k.handle, Path: path})
	return spoolgrpc.FromStatus(err)
}

func (k *remoteKey) EnumKey(ctx context.Context, index uint32) (registry.KeyInfo, error) {
	r, err := k.client.EnumKey(ctx, &hostservicev1.EnumKeyRequest{Spooler: k.token, Key: k.handle, Index: index})
	if err != nil {
		return registry.KeyInfo{}, spoolgrpc.FromStatus(err)
	}
	return registry.KeyInfo{Name: r.GetName(), LastWrite: r.GetLastWrite().AsTime()}, nil
}

func (k *remoteKey) QueryInfoKey(ctx context.Context) (registry.Info, error) {
	r, err := k.client.QueryInfoKey(ctx, &hostservicev1.QueryInfoKeyRequest{Spooler: k.token, Key: k.handle})
	if err != nil {
		return registry.Info{}, spoolgrpc.FromStatus(err)
	}
	return registry.Info{
		SubKeys: r.GetSubKeys(), Values: r.GetValues(), MaxSubKeyLen: r.GetMaxSubKeyLen(),
		MaxValueNameLen: r.GetMaxValueNameLen(), MaxData: r.GetMaxData(), LastWrite: r.GetLastWrite().AsTime(),
	}, nil
}

func (k *remoteKey) SetValue(ctx context.Context, values ...registry.Value) error {
	req := &hostservicev1.SetValueRequest{Spooler: k.token, Key: k.handle}
	for _, v := range values {
		req.Values = append(req.Values, valueToProto(v))
	}
	_, err := k.client.SetValue(ctx, req)
	return spoolgrpc.FromStatus(err)
}

func (k *remoteKey) DeleteValue(ctx context.Context, name string) error {
	_, err := k.client.DeleteValue(ctx, &hostservicev1.DeleteValueRequest{Spooler: k.token, Key: k.handle, Name: name})
	return spoolgrpc.FromStatus(err)
}

func (k *remoteKey) EnumValue(ctx context.Context, index uint32) (registry.Value, error) {
	r, err := k.client.EnumValue(ctx, &hostservicev1.EnumValueRequest{Spooler: k.token, Key: k.handle, Index: index})
	if err != nil {
		return registry.Value{}, spoolgrpc.FromStatus(err)
	}
	return valueFromProto(r.GetValue()), nil
}

func (k *remoteKey) QueryValue(ctx context.Context, name string) (registry.Value, error) {
	r, err := k.client.QueryValue(ctx, &hostservicev1.QueryValueRequest{Spooler: k.token, Key: k.handle, Name: name})
	if err != nil {
		return registry.Value{}, spoolgrpc.FromStatus(err)
	}
	return valueFromProto(r.GetValue()), nil
}

// QueryMultipleValues implements registry.ValuesReader.
func (k *remoteKey) QueryMultipleValues(ctx context.Context, path string) ([]registry.Value, error) {
	r, err := k.client.QueryMultipleValues(ctx, &hostservicev1.QueryMultipleValuesRequest{Spooler: k.token, Key: k.handle, Path: path})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	list := make([]registry.Value, 0, len(r.GetValues()))
	for _, v := range r.GetValues() {
		list = append(list, valueFromProto(v))
	}
	return list, nil
}

// QuerySubKeys implements registry.SubKeysReader.
func (k *remoteKey) QuerySubKeys(ctx context.Context, path, after string) ([]registry.SubKey, error) {
	r, err := k.client.QuerySubKeys(ctx, &hostservicev1.QuerySubKeysRequest{Spooler: k.token, Key: k.handle, Path: path, After: after})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	list := make([]registry.SubKey, 0, len(r.GetSubKeys()))
	for _, sub := range r.GetSubKeys() {
		s := registry.SubKey{KeyInfo: registry.KeyInfo{Name: sub.GetName(), LastWrite: sub.GetLastWrite().AsTime()}}
		for _, v := range sub.GetValues() {
			s.Values = append(s.Values, valueFromProto(v))
		}
		list = append(list, s)
	}
	return list, nil
}

func valueToProto(v registry.Value) *hostservicev1.Value {
	return &hostservicev1.Value{Name: v.Name, Type: uint32(v.Type), Data: v.Data}
}

func valueFromProto(v *hostservicev1.Value) registry.Value {
	return registry.Value{Name: v.GetName(), Type: registry.Type(v.GetType()), Data: v.GetData()}
}
