//go:build unix

package host

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
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

var update = flag.Bool("update", false, "write the golden files")

// pair is a print server, NTPRINT, and a client, MyClient: two hosts on this machine.
type pair struct {
	t              *testing.T
	server, client *Host
	record         string // what the modules of both were called with, in order
	conn           *grpc.ClientConn
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, record: filepath.Join(t.TempDir(), "record")}
	p.server, p.client = p.start("server", "127.0.0.1:0"), p.start("client", "")
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

// start runs a host until the test ends.
func (p *pair) start(side, listen string) *Host {
	dir, err := os.MkdirTemp("/tmp", "pp") // t.TempDir is too long for sockets
	if err != nil {
		p.t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Data, cfg.Listen = dir, []string{"unix:" + dir + "/s"}
	cfg.PointPrint.Environment = "Windows x64"
	if listen != "" {
		cfg.Listen = []string{listen}
	}
	self := hosttest.Monitor("Mock")
	cfg.Builtins = []catalog.Monitor{self}
	for name, kind := range map[string]string{"mscms": wire.KindPointPrint, "hpdriver": wire.KindDriver} {
		cfg.BuiltinModules = append(cfg.BuiltinModules, catalog.Module{Name: name, Kind: kind, Path: self.Path, Args: []string{recorderArg, kind, side, p.record}})
	}
	h, err := New(p.t.Context(), cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	p.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
		_ = h.Close()
		_ = os.RemoveAll(dir)
	})
	select {
	case <-h.Ready():
	case <-time.After(time.Minute):
		p.t.Fatal("the host is not ready")
	}
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
	_, err := apiv1.NewPortsClient(p.conn).AddPort(ctx, &apiv1.AddPortRequest{Name: "LPT1:", Monitor: "Mock"})
	must(err)
	drivers, err := apiv1.NewDriversClient(p.conn).AddPrinterDriver(ctx)
	must(err)
	must(drivers.Send(&apiv1.AddPrinterDriverRequest{Request: &apiv1.AddPrinterDriverRequest_Start{Start: &apiv1.AddPrinterDriverStart{Driver: &apiv1.DriverInfo{
		Version: 3, Name: "HP Color LaserJet", Environment: "Windows x64", DataFile: "hpcolor.gpd", Module: "hpdriver",
	}}}}))
	gpd := []byte("*GPDSpecVersion: \"1.0\"\n")
	must(drivers.Send(&apiv1.AddPrinterDriverRequest{Request: &apiv1.AddPrinterDriverRequest_File{File: &apiv1.DriverFileHeader{Name: "hpcolor.gpd", Size: int64(len(gpd))}}}))
	must(drivers.Send(&apiv1.AddPrinterDriverRequest{Request: &apiv1.AddPrinterDriverRequest_Data{Data: gpd}}))
	_, err = drivers.CloseAndRecv()
	must(err)
	_, err = apiv1.NewPrintersClient(p.conn).AddPrinter(ctx, &apiv1.AddPrinterRequest{Name: "HpColor", Settings: &apiv1.PrinterSettings{
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
	s, err := apiv1.NewShareClient(p.conn).PutFile(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	_ = s.Send(&apiv1.PutFileRequest{Request: &apiv1.PutFileRequest_Start{Start: &apiv1.PutFileStart{Path: path, Size: int64(len(data))}}})
	for len(data) > 0 {
		n := min(len(data), 1<<20)
		_ = s.Send(&apiv1.PutFileRequest{Request: &apiv1.PutFileRequest_Data{Data: data[:n]}})
		data = data[n:]
	}
	if _, err := s.CloseAndRecv(); err != nil {
		p.t.Fatal(err)
	}
}

// set stores a value of CopyFiles\ICM.
func (p *pair) set(v registry.Value) {
	p.t.Helper()
	_, err := apiv1.NewPrinterDataClient(p.conn).SetPrinterDataEx(p.t.Context(), &apiv1.SetPrinterDataExRequest{
		Printer: "HpColor", Key: `CopyFiles\ICM`, Value: &apiv1.RegistryValue{Name: v.Name, Type: v.Type.String(), Data: v.Data},
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

// TestHpColor is the example of "Downloading Queue-Specific Files": what the client does,
// step by step, and what the modules on both sides are called with.
func TestHpColor(t *testing.T) {
	p := newPair(t)
	var b strings.Builder
	b.WriteString("# The ten steps, as MyClient performs them; step 5 is the server's\n\n")
	for _, s := range p.add() {
		b.WriteString(s.String() + "\n")
	}
	record, err := os.ReadFile(p.record)
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n# What Mscms.dll and the driver were called with, on both sides, in order\n\n" + string(record))
	// The example's client has its driver directory elsewhere.
	got := strings.ReplaceAll(b.String(), p.client.connections.Dir(), `C:\Winnt\System32\Spool\Drivers`)
	got = strings.ReplaceAll(got, "/", `\`)
	golden(t, filepath.Join("testdata", "hpcolor.golden"), got)
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it is\n%s\nand should be\n%s", got, want)
	}
}

func TestASecondConnectionMovesNothing(t *testing.T) {
	p := newPair(t)
	p.add()
	moved := &counting{}
	if _, _, err := p.client.connections.Refresh(t.Context(), p.name(), nil, moved); err != nil {
		t.Fatal(err)
	}
	if moved.bytes != 0 {
		t.Errorf("a refresh moved %d bytes", moved.bytes)
	}
	// Another server of the same address has the same files.
	other := client.Name{Server: "NTPRINT2", Printer: "HpColor"}
	if _, _, err := p.client.connections.Add(t.Context(), other, []string{p.address()}, moved); err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(p.client.connections.Dir(), "Color", "Hpclrlsr.icm")
	for _, n := range []client.Name{p.name(), other} {
		if _, err := os.Stat(profile); err != nil {
			t.Errorf("before %s is deleted: %v", n, err)
		}
		if _, err := p.client.connections.Delete(t.Context(), n, nil); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(p.client.connections.Dir()); len(left) != 0 {
		t.Errorf("after the last: %v", left)
	}
}

type counting struct{ bytes int64 }

func (c *counting) Step(client.Step)               {}
func (c *counting) Files(_, _ int, bytes, _ int64) { c.bytes = bytes }

// TestAChangeReachesTheClient changes the profile on the server.
func TestAChangeReachesTheClient(t *testing.T) {
	p := newPair(t)
	p.add()
	changed := icctest.Profile("another one, which is longer")
	p.put(`Color\Other.icm`, changed)
	p.set(registry.Strings("Files", "Other.icm"))
	await(t, "the change", func() bool {
		got, err := os.ReadFile(filepath.Join(p.client.connections.Dir(), "Color", "Other.icm"))
		return err == nil && string(got) == string(changed)
	})
	await(t, "the old file to go", func() bool {
		_, err := os.Stat(filepath.Join(p.client.connections.Dir(), "Color", "Hpclrlsr.icm"))
		return os.IsNotExist(err)
	})
	await(t, "the events", func() bool {
		record, _ := os.ReadFile(p.record)
		return strings.Count(string(record), "FILES_CHANGED") == 2 && strings.Count(string(record), "CACHE_REFRESH") == 2
	})
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
