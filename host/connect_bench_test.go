//go:build linux

package host

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/registry"
)

// printServer is a host in a process of its own with a printer whose key Payload has files.
type printServer struct {
	b       *testing.B
	dir     string
	pid     int
	address string
	files   int
	size    int
}

func newPrintServer(b *testing.B, files, size int) *printServer {
	b.Helper()
	dir, err := os.MkdirTemp("/tmp", "ppb")
	if err != nil {
		b.Fatal(err)
	}
	cmd, address := startMember(b, "server", dir, "", "", filepath.Join(dir, "record"))
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	s := &printServer{b: b, dir: dir, pid: cmd.Process.Pid, address: address, files: files, size: size}
	ctx := b.Context()
	s.ok(apiv1.NewPortsClient(conn).AddPort(ctx, &apiv1.AddPortRequest{Name: "LPT1:", Monitor: "Mock"}))
	s.ok(apiv1.NewPrintersClient(conn).AddPrinter(ctx, &apiv1.AddPrinterRequest{Name: "q", Settings: &apiv1.PrinterSettings{Ports: []string{"LPT1:"}}}))
	for _, v := range []registry.Value{registry.String("Directory", "Payload"), registry.Strings("Files", s.names()...)} {
		s.ok(apiv1.NewPrinterDataClient(conn).SetPrinterDataEx(ctx, &apiv1.SetPrinterDataExRequest{
			Printer: "q", Key: `CopyFiles\Payload`, Value: &apiv1.RegistryValue{Name: v.Name, Type: v.Type.String(), Data: v.Data},
		}))
	}
	random := rand.NewChaCha8([32]byte{1})
	content := make([]byte, size)
	for _, name := range s.names() {
		_, _ = random.Read(content)
		put(b, conn, "", `Payload\`+name, content)
	}
	return s
}

func (s *printServer) ok(_ any, err error) {
	if err != nil {
		s.b.Helper()
		s.b.Fatal(err)
	}
}

func (s *printServer) names() (names []string) {
	for i := range s.files {
		names = append(names, fmt.Sprintf("f%03d.bin", i))
	}
	return names
}

// rss gives a figure of the server's memory, in bytes.
func (s *printServer) rss(what string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	m := regexp.MustCompile(what + `:\s+(\d+) kB`).FindSubmatch(status)
	if err != nil || m == nil {
		s.b.Fatal(err, string(status))
	}
	kb, _ := strconv.Atoi(string(m[1]))
	return float64(kb) * 1024
}

// station is a computer that connects to printers: the client and nothing else of a host.
func (s *printServer) station(dir, name string, db store.Store, events *eventlog.Log) *client.Client {
	tree, err := confine.OpenTree(filepath.Join(dir, name))
	s.ok(nil, err)
	s.b.Cleanup(func() { _ = tree.Close() })
	c, err := client.New(s.b.Context(), client.Config{
		Spooler: name, Hive: hostregistry.New(db, hostregistry.Options{}).Hive(name), Modules: noModules{}, Printers: noModules{}, Tree: tree,
		Policy: client.Policy{CopyFiles: confine.All}, Call: time.Minute, Events: events, Logger: hclog.NewNullLogger(),
		Dial: func(_ context.Context, address string, _ client.Known) (client.Link, string, error) {
			conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
			return conn, "", err
		},
	})
	s.ok(nil, err)
	return c
}

// open gives a directory with a store and an event log for stations.
func (s *printServer) open() (dir string, db store.Store, events *eventlog.Log) {
	dir = s.b.TempDir()
	db, err := store.OpenBolt(filepath.Join(dir, "db"), store.Options{})
	s.ok(nil, err)
	events, err = eventlog.Open(filepath.Join(dir, "events"), eventlog.Options{})
	s.ok(nil, err)
	s.b.Cleanup(func() { _, _ = events.Close(), db.Close() })
	return dir, db, events
}

func (s *printServer) connect(c *client.Client, printer string, w client.Watcher) {
	con, _, err := c.Add(s.b.Context(), client.Name{Server: printer, Printer: "q"}, []string{s.address}, w)
	s.ok(nil, err)
	if len(con.Components) != 1 || len(con.Components[0].Files) != s.files {
		s.b.Fatalf("%+v", con.Components)
	}
}

type noModules struct{}

func (noModules) GenerateCopyFilePaths(_ context.Context, _ string, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
	return c.Dirs, nil
}
func (noModules) SpoolerCopyFileEvent(context.Context, string, pointprint.CopyFileEvent) error {
	return nil
}
func (noModules) DrvPrinterEvent(context.Context, string, driver.PrinterEvent) error { return nil }
func (noModules) Connect(context.Context, string) error                              { return nil }
func (noModules) Disconnect(context.Context, string) error                           { return nil }

// plain serves the server's files as they are, one after the other, and plainCopy takes them:
// a copy without verification, each file fsynced.
func (s *printServer) plain() (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.ok(nil, err)
	s.b.Cleanup(func() { _ = l.Close() })
	list, err := filepath.Glob(filepath.Join(s.dir, "server", "print$", "*"))
	s.ok(nil, err)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			for _, path := range list {
				if f, err := os.Open(path); err == nil {
					_, _ = io.Copy(conn, f)
					_ = f.Close()
				}
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func (s *printServer) plainCopy(address, dir string) {
	conn, err := net.Dial("tcp", address)
	s.ok(nil, err)
	defer func() { _ = conn.Close() }()
	for _, name := range s.names() {
		f, err := os.Create(filepath.Join(dir, name))
		s.ok(nil, err)
		_, err = io.CopyN(f, conn, int64(s.size))
		s.ok(nil, err)
		s.ok(f.Sync(), f.Close())
	}
}

// BenchmarkConnect is a first connection with 100 files and 500 MB, a plain copy of the same
// bytes over the same loopback, by turns, and a second connection, which moves nothing.
func BenchmarkConnect(b *testing.B) {
	s := newPrintServer(b, 100, 5_000_000)
	dir, db, events := s.open()
	address := s.plain()
	var plain, first, second time.Duration
	var again counting
	for i := range b.N {
		out := filepath.Join(dir, fmt.Sprint("plain", i))
		s.ok(nil, os.Mkdir(out, 0o700))
		plain += took(func() { s.plainCopy(address, out) })
		c := s.station(dir, fmt.Sprint("station", i), db, events)
		first += took(func() { s.connect(c, "ONE", nil) })
		second += took(func() { s.connect(c, "TWO", &again) })
		s.ok(nil, os.RemoveAll(out))
		s.ok(nil, os.RemoveAll(c.Dir()))
	}
	bytes := float64(b.N) * float64(s.files) * float64(s.size)
	b.ReportMetric(bytes/1e6/plain.Seconds(), "plain-MB/s")
	b.ReportMetric(bytes/1e6/first.Seconds(), "first-MB/s")
	b.ReportMetric(plain.Seconds()/first.Seconds(), "ratio")
	b.ReportMetric(second.Seconds()/float64(b.N), "second-s")
	b.ReportMetric(float64(again.bytes), "second-bytes")
	b.ReportMetric(0, "ns/op")
}

func took(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

// BenchmarkConnectAtOnce has 1,000 clients, each with a connection of its own, connect at the
// same time.
func BenchmarkConnectAtOnce(b *testing.B) {
	const clients = 1000
	s := newPrintServer(b, 4, 100_000)
	for range b.N {
		dir, db, events := s.open()
		before := s.rss("VmRSS")
		var all sync.WaitGroup
		var slowest atomic.Int64
		began := time.Now()
		for i := range clients {
			c := s.station(dir, fmt.Sprint("station", i), db, events)
			all.Go(func() {
				s.connect(c, "ONE", nil)
				slowest.Store(int64(time.Since(began)))
			})
		}
		all.Wait()
		b.ReportMetric(float64(clients)/time.Duration(slowest.Load()).Seconds(), "connections/s")
		b.ReportMetric((s.rss("VmHWM")-before)/1e6, "MB-more")
		b.ReportMetric(before/1e6, "MB-before")
	}
	b.ReportMetric(0, "ns/op")
}
