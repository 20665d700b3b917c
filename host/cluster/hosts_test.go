package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/store/etcd"
	"github.com/spoolhost/spoolhost/host/store/etcd/etcdtest"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

const (
	monitorName = "Test Monitor"
	spoolerName = "NTPRINT"
	ttl         = 2 * time.Second
)

// hosts are whole hosts in one process, on one etcd and one shared directory.
type hosts struct {
	testing.TB
	dir   string
	nodes []*node
}

type node struct {
	host *host.Host
	conn *grpc.ClientConn
	stop func()
	apiv1.PrintersClient
	apiv1.PortsClient
	apiv1.JobsClient
	apiv1.SpoolersClient
	apiv1.NodesClient
	apiv1.HostClient
	apiv1.EventsClient
}

func bootHosts(t testing.TB, count int, adjust func(n int, c *host.Config)) *hosts {
	t.Helper()
	dir, err := os.MkdirTemp("", "spc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &hosts{TB: t, dir: dir}
	endpoint, prefix := etcdtest.Start(t), etcdtest.Prefix(t)
	for n := range count {
		h.boot(n, endpoint, prefix, adjust)
	}
	h.until("all nodes know each other", func() bool {
		for _, n := range h.nodes {
			if v, _ := n.host.Cluster().View(); len(v.Members) != count {
				return false
			}
		}
		return true
	})
	return h
}

func (h *hosts) boot(number int, endpoint, prefix string, adjust func(n int, c *host.Config)) {
	h.Helper()
	name := "n" + strconv.Itoa(number+1)
	db := etcd.Open(etcdtest.Client(h, endpoint), etcd.Options{Prefix: prefix, Writer: name})
	h.Cleanup(func() { _ = db.Close() })
	socket := filepath.Join(h.dir, name+".api")
	cfg := host.DefaultConfig()
	cfg.Data, cfg.Listen = filepath.Join(h.dir, name), []string{"unix:" + socket}
	cfg.Builtins = []catalog.Monitor{hosttest.Monitor(monitorName)}
	if self, err := os.Executable(); err == nil {
		cfg.ClusterGuard = []string{self, cluster.GuardArg}
	}
	cfg.Limits.Grace = 200 * time.Millisecond
	cfg.Membership = &host.Membership{
		Node: name, Address: socket, Store: db, Leases: db.Leases(), TTL: ttl, Shared: filepath.Join(h.dir, "shared"),
		Dial:     func(m cluster.Member) (grpc.ClientConnInterface, error) { return h.node(m.Name).conn, nil },
		FromNode: func(context.Context) bool { return true },
	}
	if adjust != nil {
		adjust(number, &cfg)
	}
	running, err := host.New(context.Background(), cfg)
	h.ok(err)
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	h.ok(err)
	n := &node{
		host: running, conn: conn, PrintersClient: apiv1.NewPrintersClient(conn), PortsClient: apiv1.NewPortsClient(conn),
		JobsClient: apiv1.NewJobsClient(conn), SpoolersClient: apiv1.NewSpoolersClient(conn), NodesClient: apiv1.NewNodesClient(conn),
		HostClient: apiv1.NewHostClient(conn), EventsClient: apiv1.NewEventsClient(conn),
	}
	h.nodes = append(h.nodes, n)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- running.Run(ctx) }()
	stopped := false
	n.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		h.ok(<-done)
		h.ok(running.Close())
		h.ok(conn.Close())
	}
	h.Cleanup(n.stop)
	select {
	case <-running.Ready():
	case err := <-done:
		h.Fatal(err)
	}
}

func (h *hosts) node(name string) *node {
	i, _ := strconv.Atoi(strings.TrimPrefix(name, "n"))
	return h.nodes[i-1]
}

func (h *hosts) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *hosts) until(what string, is func() bool) {
	h.Helper()
	poll.Until(h, what, is)
}

// create makes a spooler and waits until it is online at a node.
func (h *hosts) create(at string) {
	h.Helper()
	_, err := h.nodes[0].CreateSpooler(h.Context(), &apiv1.CreateSpoolerRequest{Name: spoolerName, PreferredOwners: []string{at}})
	h.ok(err)
	h.until("the spooler is online somewhere", func() bool { return h.owner(at) != "" })
	if h.owner(at) != at { // on a busy machine the node may have been without a lease just then
		stream, err := h.node(at).MoveSpooler(h.Context(), &apiv1.MoveSpoolerRequest{Name: spoolerName, To: at})
		if err == nil {
			_, err = stream.Recv()
		}
		h.Logf("moving the spooler to its preferred owner: %v", err)
	}
	h.atNode(at)
}

func (h *hosts) atNode(name string) {
	h.Helper()
	h.until("the spooler is online at "+name, func() bool { return h.owner(name) == name })
}

// owner gives the node at which the spooler is online, as a node knows it.
func (h *hosts) owner(by string) string {
	r, err := h.node(by).GetSpooler(h.Context(), &apiv1.GetSpoolerRequest{Name: spoolerName})
	if err != nil || !strings.HasPrefix(r.GetClusterSpooler().GetState(), "online") {
		return ""
	}
	return r.GetClusterSpooler().GetOwner()
}

// printer makes a port and a printer through a node.
func (h *hosts) printer(through *node, name string, settings map[string]string) {
	h.Helper()
	_, err := through.AddPort(h.Context(), &apiv1.AddPortRequest{Spooler: spoolerName, Name: name, Monitor: monitorName, Settings: settings})
	h.ok(err)
	_, err = through.AddPrinter(h.Context(), &apiv1.AddPrinterRequest{
		Spooler: spoolerName, Name: name, Settings: &apiv1.PrinterSettings{Ports: []string{name}},
	})
	h.ok(err)
}

func submit(ctx context.Context, n *node, printer string, body []byte) (*apiv1.Job, error) {
	stream, err := n.SubmitJob(ctx)
	if err != nil {
		return nil, err
	}
	_ = stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Header{Header: &apiv1.SubmitHeader{Spooler: spoolerName, Printer: printer, Title: "t"}}})
	for part := range slices.Chunk(body, 256<<10) {
		_ = stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: part}})
	}
	_ = stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: &apiv1.SubmitEnd{Size: uint64(len(body))}}})
	r, err := stream.CloseAndRecv()
	return r.GetJob(), spoolgrpc.FromStatus(err)
}

func (h *hosts) submit(through *node, printer string, body []byte) *apiv1.Job {
	h.Helper()
	j, err := submit(h.Context(), through, printer, body)
	h.ok(err)
	return j
}

// printed waits for a job through a node.
func (h *hosts) printed(through *node, id uint64) (j *apiv1.Job) {
	h.Helper()
	h.until("job "+strconv.FormatUint(id, 10)+" is printed", func() bool {
		r, err := through.GetJob(h.Context(), &apiv1.GetJobRequest{Spooler: spoolerName, Id: id})
		j = r.GetJob()
		return err == nil && j.GetState() == "printed"
	})
	return j
}

func (h *hosts) sink() (*hosttest.Sink, map[string]string) {
	h.Helper()
	s, err := hosttest.NewSink(nil)
	h.ok(err)
	h.Cleanup(s.Close)
	return s, map[string]string{"to": "127.0.0.1:" + strconv.Itoa(s.Port())}
}

func (h *hosts) move(through *node, to string) *apiv1.SpoolerMove {
	h.Helper()
	stream, err := through.MoveSpooler(h.Context(), &apiv1.MoveSpoolerRequest{Name: spoolerName, To: to, Wait: true})
	h.ok(err)
	var last *apiv1.SpoolerMove
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last
		}
		h.ok(err)
		last = r.GetMove()
	}
}

func paper(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestAnyNode: what is asked of any node is done by the owner, and jobs are taken by all.
func TestAnyNode(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 3, nil)
	h.create("n2")
	sink, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	var ids []uint64
	for _, n := range h.nodes {
		ids = append(ids, h.submit(n, "office", paper(100_000)).GetId())
	}
	for i, id := range ids {
		j := h.printed(h.nodes[(i+1)%3], id)
		if a := j.GetAttempts(); len(a) != 1 || a[0].GetEpoch() == 0 || j.GetUser() == "" {
			t.Errorf("job %d: %+v", id, j)
		}
	}
	if !slices.IsSorted(ids) || sink.Receipts()[0].Bytes != 100_000 {
		t.Errorf("ids %v, %+v", ids, sink.Receipts())
	}
	for i, n := range h.nodes {
		stream, err := n.ListJobs(t.Context(), &apiv1.ListJobsRequest{Spooler: "ntprint", All: true})
		h.ok(err)
		count := 0
		for r, err := stream.Recv(); err == nil; r, err = stream.Recv() {
			count += len(r.GetJobs())
		}
		if count != 3 {
			t.Errorf("through node %d %d jobs are listed", i+1, count)
		}
		if _, err := n.GetPrinter(t.Context(), &apiv1.GetPrinterRequest{Spooler: spoolerName, Name: "nobody"}); spoolerr.KindOf(spoolgrpc.FromStatus(err)) != spoolerr.NotFound {
			t.Errorf("an unknown printer through node %d: %v", i+1, err)
		}
		if _, err := submit(t.Context(), n, "nobody", paper(1)); spoolerr.KindOf(err) != spoolerr.NotFound {
			t.Errorf("a job for an unknown printer through node %d: %v", i+1, err)
		}
	}
}

// TestMoves: planned moves lose nothing, whatever goes on, and intake never stops.
func TestMoves(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 2, nil)
	h.create("n1")
	sink, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	body := paper(50_000)
	var ids []uint64
	for _, target := range []string{"n2", "n1", "n2"} {
		ids = append(ids, h.submit(h.nodes[1], "Office", body).GetId())
		m := h.move(h.nodes[len(ids)%2], target)
		if !m.GetDone() || m.GetFailure() != "" || m.GetTo() != target {
			t.Errorf("%+v", m)
		}
		ids = append(ids, h.submit(h.nodes[0], "Office", body).GetId())
	}
	for _, id := range ids {
		if j := h.printed(h.nodes[0], id); len(j.GetAttempts()) != 1 {
			t.Errorf("job %d was interrupted: %+v", id, j.GetAttempts())
		}
	}
	if n := len(sink.Receipts()); n != len(ids) {
		t.Errorf("%d jobs came in %d connections", len(ids), n)
	}
	for _, n := range h.nodes { // nobody takes it
		_, err := n.DrainNode(t.Context(), &apiv1.DrainNodeRequest{Name: n.host.Cluster().Name()})
		h.ok(err)
	}
	h.until("nobody owns it", func() bool {
		v, _ := h.nodes[0].host.Cluster().View()
		_, _, owned := v.OwnerOf(spoolerName)
		return !owned
	})
	kept := h.submit(h.nodes[0], "Office", body)
	if kept.GetState() != "queued" || kept.GetReason() != "" {
		t.Errorf("%+v", kept)
	}
	_, err := h.nodes[0].ResumeNode(t.Context(), &apiv1.ResumeNodeRequest{Name: "n1"})
	h.ok(err)
	h.printed(h.nodes[1], kept.GetId())
}

// TestHungMove: a document that hangs in its monitor holds up a move no longer than the
// resource time-out; its attempt is recorded as interrupted, and it prints on the new owner.
func TestHungMove(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 2, func(_ int, c *host.Config) { c.Limits.Resource = 2 * time.Second })
	h.create("n1")
	sink, to := h.sink()
	to["hang"], to["only"] = "write", "1"
	h.printer(h.nodes[0], "Office", to)
	body := paper(600_000)
	id := h.submit(h.nodes[0], "Office", body).GetId()
	h.until("it prints", func() bool { return len(sink.Receipts()) > 0 })
	m := h.move(h.nodes[1], "n2")
	if !m.GetDone() || m.GetFailure() != "" {
		t.Errorf("%+v", m)
	}
	j := h.printed(h.nodes[0], id)
	a := j.GetAttempts()
	if len(a) != 2 || a[0].GetEpoch() >= a[1].GetEpoch() || a[0].GetOutcome() != "interrupted" && a[0].GetOutcome() != "timed-out" {
		t.Errorf("%+v", a)
	}
	if last := sink.Receipts()[len(sink.Receipts())-1]; last.Bytes != int64(len(body)) {
		t.Errorf("%+v", last)
	}
}

// TestLackingMonitor: a node without a monitor is not moved to; forced, the printers are
// missing with the reason, jobs are kept, and the monitor completes the spooler.
func TestLackingMonitor(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 2, func(n int, c *host.Config) {
		if n == 1 {
			c.Builtins = nil
		}
	})
	h.create("n1")
	_, to := h.sink()
	h.printer(h.nodes[1], "Office", to)
	h.until("its needs are known", func() bool { v, _ := h.nodes[1].host.Cluster().View(); return len(v.States["ntprint"].Needs) > 0 })
	stream, err := h.nodes[0].MoveSpooler(t.Context(), &apiv1.MoveSpoolerRequest{Name: spoolerName, To: "n2"})
	h.ok(err)
	if _, err = stream.Recv(); err == nil || !strings.Contains(err.Error(), monitorName) {
		t.Errorf("a move that loses a printer: %v", err)
	}
	stream, err = h.nodes[0].MoveSpooler(t.Context(), &apiv1.MoveSpoolerRequest{Name: spoolerName, To: "n2", Force: true, Wait: true})
	h.ok(err)
	for err == nil {
		_, err = stream.Recv()
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	r, err := h.nodes[0].GetPrinter(t.Context(), &apiv1.GetPrinterRequest{Spooler: spoolerName, Name: "Office"})
	h.ok(err)
	if p := r.GetPrinter(); p.GetState() != "missing" || !strings.Contains(p.GetReason(), monitorName) || !strings.Contains(p.GetReason(), "monitor add") {
		t.Errorf("%s: %s", p.GetState(), p.GetReason())
	}
	id := h.submit(h.nodes[1], "Office", paper(10)).GetId()
	why, err := h.nodes[0].Explain(t.Context(), &apiv1.ExplainRequest{Spooler: spoolerName, Kind: "spooler", Name: spoolerName})
	h.ok(err)
	if !strings.Contains(why.GetSummary(), "online-incomplete") || len(why.GetAdvice()) == 0 {
		t.Errorf("%v", why)
	}
	monitor := hosttest.Monitor(monitorName)
	_, err = apiv1.NewMonitorsClient(h.nodes[1].conn).AddMonitor(t.Context(), &apiv1.AddMonitorRequest{Name: monitorName, Module: monitor.Path, Args: monitor.Args})
	h.ok(err)
	h.printed(h.nodes[0], id)
	h.until("it is complete", func() bool {
		r, err := h.nodes[0].GetSpooler(t.Context(), &apiv1.GetSpoolerRequest{Name: spoolerName})
		return err == nil && r.GetClusterSpooler().GetState() == "online"
	})
}

// TestDelete: a spooler with jobs is kept, unless forced; then nothing of it is left.
func TestDelete(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 1, nil)
	h.create("n1")
	h.printer(h.nodes[0], "Office", map[string]string{"fail": "open"})
	h.submit(h.nodes[0], "Office", paper(10))
	_, err := h.nodes[0].DeleteSpooler(t.Context(), &apiv1.DeleteSpoolerRequest{Name: spoolerName})
	if err = spoolgrpc.FromStatus(err); spoolerr.KindOf(err) != spoolerr.Busy {
		t.Errorf("%v", err)
	}
	_, err = h.nodes[0].DeleteSpooler(t.Context(), &apiv1.DeleteSpoolerRequest{Name: spoolerName, Force: true})
	h.ok(err)
	h.until("it is gone", func() bool {
		r, err := h.nodes[0].ListSpoolers(t.Context(), &apiv1.ListSpoolersRequest{})
		return err == nil && len(r.GetClusterSpoolers()) == 0
	})
	left, err := filepath.Glob(filepath.Join(h.dir, "shared", "spoolers", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := submit(t.Context(), h.nodes[0], "Office", bytes.Repeat([]byte("x"), 10)); spoolerr.KindOf(err) != spoolerr.NotFound {
		t.Errorf("a job for a spooler that is gone: %v", err)
	}
}
