//go:build unix

package host

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/icc/icctest"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// pair is a print server, NTPRINT, and a client, MyClient: two hosts on this machine.
type pair struct {
	t              *testing.T
	server, client *Host

	serverNode, clientNode *node
	record                 string // what the modules of both were called with, in order
	conn                   *grpc.ClientConn
	spooler                string // of the server; empty is its own
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, record: filepath.Join(t.TempDir(), "record")}
	p.serverNode, p.clientNode = p.node("server", "127.0.0.1:0"), p.node("client", "")
	p.server, p.client = p.serverNode.start(), p.clientNode.start()
	conn, err := grpc.NewClient("passthrough:///"+p.address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p.conn = conn
	p.queue()
	return p
}

func (p *pair) address() string { return p.server.Addrs()[0] }

// node is one of the two hosts, which can be stopped and started again with what it has.
type node struct {
	t    *testing.T
	cfg  Config
	stop func()
}

// node makes a host; start starts it.
func (p *pair) node(side, listen string) *node {
	dir, err := os.MkdirTemp("/tmp", "pp") // t.TempDir is too long for sockets
	if err != nil {
		p.t.Fatal(err)
	}
	n := &node{t: p.t, cfg: DefaultConfig(), stop: func() {}}
	cfg := &n.cfg
	cfg.Data, cfg.Listen = dir, []string{"unix:" + dir + "/s"}
	cfg.PointPrint.Environment = "Windows x64"
	if listen != "" {
		cfg.Listen = []string{listen}
	}
	furnish(cfg, side, p.record)
	p.t.Cleanup(func() {
		n.stop()
		_ = os.RemoveAll(dir)
	})
	return n
}

// furnish installs a monitor, and modules that record what they are called with.
func furnish(cfg *Config, side, record string) {
	self := hosttest.Monitor("Mock")
	cfg.Builtins = []catalog.Monitor{self}
	for name, kind := range map[string]string{"mscms": wire.KindPointPrint, "hpdriver": wire.KindDriver} {
		cfg.BuiltinModules = append(cfg.BuiltinModules, catalog.Module{Name: name, Kind: kind, Path: self.Path, Args: []string{recorderArg, kind, side, record}})
	}
}

// start runs the host until stop, or the end of the test.
func (n *node) start() *Host {
	n.t.Helper()
	h, err := New(n.t.Context(), n.cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			n.t.Error(err)
		}
		_ = h.Close()
	})
	select {
	case <-h.Ready():
	case <-time.After(time.Minute):
		n.t.Fatal("the host is not ready")
	}
	n.cfg.Listen = h.Addrs() // the next start listens on the same port
	return h
}

// queue makes HpColor with the values of "Installing Queue-Specific Files".
func (p *pair) queue() {
	ctx := p.t.Context()
	must := func(err error) {
		if err != nil {
			p.t.Helper()
			p.t.Fatal(err)
		}
	}
	_, err := apiv1.NewPortsClient(p.conn).AddPort(ctx, &apiv1.AddPortRequest{Spooler: p.spooler, Name: "LPT1:", Monitor: "Mock"})
	must(err)
	drivers, err := apiv1.NewDriversClient(p.conn).AddPrinterDriver(ctx)
	must(err)
	must(drivers.Send(&apiv1.AddPrinterDriverRequest{Request: &apiv1.AddPrinterDriverRequest_Start{Start: &apiv1.AddPrinterDriverStart{Spooler: p.spooler, Driver: &apiv1.DriverInfo{
		Version: 3, Name: "HP Color LaserJet", Environment: "Windows x64", DataFile: "hpcolor.gpd", Module: "hpdriver",
	}}}}))
	gpd := []byte("*GPDSpecVersion: \"1.0\"\n")
	must(drivers.Send(&apiv1.AddPrinterDriverRequest{Request: &apiv1.AddPrinterDriverRequest_File{File: &apiv1.DriverFileHeader{Name: "hpcolor.gpd", Size: int64(len(gpd))}}}))
	must(drivers.Send(&apiv1.AddPrinterDriverRequest{Request: &apiv1.AddPrinterDriverRequest_Data{Data: gpd}}))
	_, err = drivers.CloseAndRecv()
	must(err)
	_, err = apiv1.NewPrintersClient(p.conn).AddPrinter(ctx, &apiv1.AddPrinterRequest{Spooler: p.spooler, Name: "HpColor", Settings: &apiv1.PrinterSettings{
		Ports: []string{"LPT1:"}, Driver: proto("HP Color LaserJet"),
	}})
	must(err)
	p.put(`Color\Hpclrlsr.icm`, icctest.Profile("HP Color LaserJet"))
	p.set(registry.String("Directory", "Color"))
	p.set(registry.Strings("Files", "Hpclrlsr.icm"))
	p.set(registry.String("Module", "mscms.dll"))
}

func proto[T any](v T) *T { return &v }

// put stores a file in the server's share.
func (p *pair) put(path string, data []byte) {
	p.t.Helper()
	put(p.t, p.conn, p.spooler, path, data)
}

func put(t testing.TB, conn *grpc.ClientConn, spooler, path string, data []byte) {
	t.Helper()
	s, err := apiv1.NewShareClient(conn).PutFile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Send(&apiv1.PutFileRequest{Request: &apiv1.PutFileRequest_Start{Start: &apiv1.PutFileStart{Spooler: spooler, Path: path, Size: int64(len(data))}}})
	for len(data) > 0 {
		n := min(len(data), 1<<20)
		_ = s.Send(&apiv1.PutFileRequest{Request: &apiv1.PutFileRequest_Data{Data: data[:n]}})
		data = data[n:]
	}
	if _, err := s.CloseAndRecv(); err != nil {
		t.Fatal(err)
	}
}

// set stores a value of CopyFiles\ICM.
func (p *pair) set(v registry.Value) {
	p.t.Helper()
	_, err := apiv1.NewPrinterDataClient(p.conn).SetPrinterDataEx(p.t.Context(), &apiv1.SetPrinterDataExRequest{
		Spooler: p.spooler, Printer: "HpColor", Key: `CopyFiles\ICM`, Value: &apiv1.RegistryValue{Name: v.Name, Type: v.Type.String(), Data: v.Data},
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) name() client.Name { return client.Name{Server: "NTPRINT", Printer: "HpColor"} }

// add makes the connection and forgets what the modules were called with before.
func (p *pair) add() []client.Step {
	p.t.Helper()
	_ = os.Remove(p.record)
	_, steps, err := p.client.connections.Add(p.t.Context(), p.name(), []string{p.address()}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return steps
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("%s did not come", what)
		}
	}
}
