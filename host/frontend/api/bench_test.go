package api

import (
	"context"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/supervisor"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

func TestMain(m *testing.M) {
	hosttest.ServeMonitor()
	unraced.Main(m)
}

const monitorName = "Test Monitor"

// The callers of the tests. The operator is the system's user nobody, in nobody's group.
const (
	root     = int64(0)
	ann      = int64(424242)
	bob      = int64(424243)
	operator = int64(65534)
	unknown  = int64(-1)
)

// bench is a spooler behind an API with one socket for each caller.
type bench struct {
	*testing.T
	dir     string
	spooler *spooler.Spooler
	catalog *catalog.Catalog
	events  *eventlog.Log
	server  *Server
	work    sync.WaitGroup
	conns   map[int64]*grpc.ClientConn
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "spoolhost") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := &bench{T: t, dir: dir, conns: make(map[int64]*grpc.ClientConn)}
	b.assemble()
	b.server = newServer(Config{
		Spoolers: func() []*spooler.Spooler { return []*spooler.Spooler{b.spooler} }, Catalog: b.catalog, Events: b.events,
		Info: Info{Version: "1", Started: time.Now(), Data: dir, Listen: func() []string { return []string{"unix:x"} }},
	}, &peerCredentials{Identifier: access.Identifier{Operators: b.group(), LookupUID: socketUID}})
	for _, uid := range []int64{root, ann, bob, operator, unknown} {
		b.serve(uid)
	}
	t.Cleanup(b.close)
	ctx, cancel := context.WithTimeout(t.Context(), poll.Patience)
	defer cancel()
	b.spooler.WaitStarted(ctx)
	return b
}

// socketUID takes the caller from the name of the socket.
func socketUID(conn net.Conn) (int64, error) {
	return strconv.ParseInt(filepath.Base(conn.LocalAddr().String()), 10, 64)
}

func (b *bench) group() string {
	u, err := user.LookupId(strconv.FormatInt(operator, 10))
	if err != nil {
		b.Fatalf("no user for the operator: %v", err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		b.Fatalf("no group for the operator: %v", err)
	}
	return g.Name
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) assemble() {
	b.Helper()
	db, err := store.OpenBolt(filepath.Join(b.dir, "db"), store.Options{})
	b.must(err)
	b.events, err = eventlog.Open(filepath.Join(b.dir, "events.log"), eventlog.Options{})
	b.must(err)
	docs, err := document.Open(filepath.Join(b.dir, "documents"), document.Options{})
	b.must(err)
	b.Cleanup(func() {
		_ = b.events.Close()
		_ = docs.Close()
		_ = db.Close()
	})
	orphans, err := supervisor.NewOrphans(filepath.Join(b.dir, "modules"))
	b.must(err)
	limits := portmon.DefaultLimits()
	limits.Grace = 200 * time.Millisecond
	launcher := supervisor.NewLauncher()
	env := &supervisor.Env{
		Launcher: launcher, Images: supervisor.NewImages(), RuntimeDir: filepath.Join(b.dir, "run"), Orphans: orphans,
		StartTimeout: limits.Call, StopGrace: limits.Grace, Now: time.Now,
	}
	b.catalog, _, err = catalog.Open(b.Context(), catalog.Config{
		Store: db, Env: env, Builtins: []catalog.Monitor{hosttest.Monitor(monitorName)}, CallTimeout: limits.Call, Now: time.Now,
	})
	b.must(err)
	queue, _, err := job.Open(b.Context(), db, spooler.NodeName, time.Now)
	b.must(err)
	files, err := share.Open(filepath.Join(b.dir, "print$"), share.Node, db, time.Now)
	b.must(err)
	b.Cleanup(func() { _ = files.Close() })
	b.spooler, err = spooler.New(b.Context(), spooler.Config{
		Name: spooler.NodeName, Local: true, Share: files, Catalog: b.catalog, Registry: registry.New(db, registry.Options{}), Queue: queue,
		Documents: docs, Events: b.events, Logger: hclog.NewNullLogger(), Limits: limits,
		Retention: job.Retention{Age: time.Hour, Count: 10_000}, Now: time.Now,
	})
	b.must(err)
	b.run(launcher)
}

func (b *bench) run(launcher *supervisor.Launcher) {
	ctx, stop := context.WithCancel(context.Background())
	last, stopLast := context.WithCancel(context.Background())
	var launching, running sync.WaitGroup
	launching.Go(func() { launcher.Run(last) })
	running.Go(func() { _ = b.spooler.Run(ctx) })
	b.Cleanup(func() {
		stop()
		running.Wait()
		stopLast()
		launching.Wait()
	})
}

func (b *bench) serve(uid int64) {
	b.Helper()
	path := filepath.Join(b.dir, strconv.FormatInt(uid, 10))
	l, err := net.Listen("unix", path)
	b.must(err)
	b.work.Go(func() {
		if err := b.server.Serve(l); err != nil {
			b.Error(err)
		}
	})
	b.conns[uid], err = grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	b.must(err)
}

func (b *bench) close() {
	for _, c := range b.conns {
		_ = c.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), poll.Patience)
	defer cancel()
	b.server.Close(ctx)
	b.work.Wait()
}

func (b *bench) jobs(uid int64) apiv1.JobsClient  { return apiv1.NewJobsClient(b.conns[uid]) }
func (b *bench) hosts(uid int64) apiv1.HostClient { return apiv1.NewHostClient(b.conns[uid]) }
func (b *bench) printers(uid int64) apiv1.PrintersClient {
	return apiv1.NewPrintersClient(b.conns[uid])
}
func (b *bench) ports(uid int64) apiv1.PortsClient { return apiv1.NewPortsClient(b.conns[uid]) }
func (b *bench) monitors(uid int64) apiv1.MonitorsClient {
	return apiv1.NewMonitorsClient(b.conns[uid])
}

// printer adds a port of its own and a printer.
func (b *bench) printer(name string, settings map[string]string) {
	b.Helper()
	_, err := b.ports(root).AddPort(b.Context(), &apiv1.AddPortRequest{Name: "port of " + name, Monitor: monitorName, Settings: settings})
	b.must(err)
	_, err = b.printers(root).AddPrinter(b.Context(), &apiv1.AddPrinterRequest{
		Name: name, Settings: &apiv1.PrinterSettings{Ports: []string{"port of " + name}},
	})
	b.must(err)
}

func header(printer string) *apiv1.SubmitJobRequest {
	return &apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Header{Header: &apiv1.SubmitHeader{Printer: printer, Title: "secret title"}}}
}

func chunk(data string) *apiv1.SubmitJobRequest {
	return &apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: []byte(data)}}
}

func end(size uint64) *apiv1.SubmitJobRequest {
	return &apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: &apiv1.SubmitEnd{Size: size}}}
}

// send makes a submission of parts, and says how it came out.
func (b *bench) send(ctx context.Context, uid int64, parts ...*apiv1.SubmitJobRequest) (*apiv1.Job, error) {
	b.Helper()
	stream, err := b.jobs(uid).SubmitJob(ctx)
	b.must(err)
	for _, p := range parts {
		if err := stream.Send(p); err != nil {
			break // CloseAndRecv knows why
		}
	}
	r, err := stream.CloseAndRecv()
	return r.GetJob(), spoolgrpc.FromStatus(err)
}

func (b *bench) submit(uid int64, printer, data string) uint64 {
	b.Helper()
	j, err := b.send(b.Context(), uid, header(printer), chunk(data), end(uint64(len(data))))
	b.must(err)
	return j.GetId()
}

// until polls a condition that nothing tells of.
func (b *bench) until(what string, ok func() bool) {
	b.Helper()
	poll.Until(b, what, ok)
}

func (b *bench) documents() int {
	return len(hosttest.Documents(filepath.Join(b.dir, "documents")))
}
