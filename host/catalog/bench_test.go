package catalog

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	sdkregistry "github.com/spoolhost/spoolhost/sdk/registry"
)

// BenchmarkMonitorReg is a module that reads the settings of one of its ports: a call of
// MONITORREG over a Unix socket, without the process and its TLS.
func BenchmarkMonitorReg(b *testing.B) {
	db, err := store.OpenBolt(filepath.Join(b.TempDir(), "db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	root := registry.New(db, registry.Options{}).Hive("node").Root("Monitors", registry.Limit{Owner: "m", Bytes: 1 << 20})
	key, err := root.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	sub, _, err := root.CreateKey(b.Context(), key, `Ports\p`)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"HostName", "Queue", "DeviceType", "SNMP Community"} {
		if err := root.SetValue(b.Context(), sub, sdkregistry.String(name, "value"), sdkregistry.Uint32(name+" number", 1)); err != nil {
			b.Fatal(err)
		}
	}
	s := &instances{}
	s.add("token", instance{root: root})
	server := grpc.NewServer()
	s.register(server)
	l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	defer server.Stop()
	conn, err := grpc.NewClient("unix:"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	client := hostservicev1.NewMonitorRegistryClient(conn)
	request := &hostservicev1.QueryMultipleValuesRequest{Spooler: "token", Key: uint64(key), Path: `Ports\p`}
	for b.Loop() {
		if r, err := client.QueryMultipleValues(ctx, request); err != nil || len(r.GetValues()) != 8 {
			b.Fatal(r, err)
		}
	}
}
