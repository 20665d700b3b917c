//go:build unix

package host

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/host/store/etcd"
	"github.com/spoolhost/spoolhost/host/store/etcd/etcdtest"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/icc/icctest"
	"github.com/spoolhost/spoolhost/sdk/registry"
)

// memberArg makes this test binary, launched again, a node of a cluster, which a test can
// kill: member NAME DIR ENDPOINT PREFIX RECORD.
const memberArg = "member"

func serveMember() {
	if len(os.Args) < 7 || os.Args[1] != memberArg {
		return
	}
	if err := runMember(os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runMember is a node until it is killed; without an endpoint it is a host in no cluster. It
// says where it listens when it is ready.
func runMember(name, dir, endpoint, prefix, record string) error {
	cfg := DefaultConfig()
	cfg.Data, cfg.Listen = filepath.Join(dir, name), []string{"127.0.0.1:0"}
	furnish(&cfg, "server", record)
	if endpoint != "" {
		etcdClient, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
		if err != nil {
			return err
		}
		db := etcd.Open(etcdClient, etcd.Options{Prefix: prefix, Writer: name})
		cfg.Listen = []string{"unix:" + memberSocket(dir, name)}
		cfg.Membership = &Membership{
			Node: name, Address: memberSocket(dir, name), Store: db, Leases: db.Leases(), TTL: 2 * time.Second, Shared: filepath.Join(dir, "shared"),
			Dial:     func(m cluster.Member) (grpc.ClientConnInterface, error) { return dialMember(m.Address) },
			FromNode: func(context.Context) bool { return true },
		}
	}
	h, err := New(context.Background(), cfg)
	if err != nil {
		return err
	}
	go func() {
		<-h.Ready()
		fmt.Println(h.Addrs()[0])
	}()
	return h.Run(context.Background())
}

func memberSocket(dir, name string) string { return filepath.Join(dir, name+".s") }

func dialMember(socket string) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// members are the nodes of the cluster that has NTPRINT, each a process, with a client
// outside that connects to HpColor by the addresses of all of them.
type members struct {
	*queues
	dir, endpoint, prefix string
	running               map[string]*exec.Cmd
}

func memberNames() []string { return []string{"n1", "n2"} }

func newMembers(t *testing.T) *members {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ppc") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	sink, err := hosttest.NewSink(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	p := &pair{t: t, record: filepath.Join(dir, "record"), spooler: "NTPRINT"}
	m := &members{
		queues: &queues{pair: p, sink: sink}, dir: dir, endpoint: etcdtest.Start(t), prefix: etcdtest.Prefix(t), running: make(map[string]*exec.Cmd),
	}
	t.Cleanup(func() {
		for name := range m.running {
			m.kill(name)
		}
		_ = os.RemoveAll(dir)
	})
	for _, name := range memberNames() {
		m.boot(name)
	}
	p.clientNode = p.node("client", "")
	p.client = p.clientNode.start()
	if p.conn, err = dialMember(memberSocket(dir, "n1")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.conn.Close() })
	if _, err := m.spoolers().CreateSpooler(t.Context(), &apiv1.CreateSpoolerRequest{Name: p.spooler}); err != nil {
		t.Fatal(err)
	}
	m.owner()
	p.queue()
	if err := p.printTo(sink); err != nil {
		t.Fatal(err)
	}
	return m
}

// boot starts a node and waits until it is ready.
func (m *members) boot(name string) {
	m.t.Helper()
	m.running[name], _ = startMember(m.t, name, m.dir, m.endpoint, m.prefix, m.record)
}

// startMember starts a host as a process of its own, and gives its address.
func startMember(t testing.TB, args ...string) (cmd *exec.Cmd, address string) {
	t.Helper()
	self, err := unraced.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(self, append([]string{memberArg}, args...)...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	address, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		t.Fatalf("host %s said %q: %s", args[0], address, log.String())
	}
	return cmd, strings.TrimSpace(address)
}

// kill ends a node as a failure of its power does.
func (m *members) kill(name string) {
	cmd := m.running[name]
	delete(m.running, name)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (m *members) spoolers() apiv1.SpoolersClient { return apiv1.NewSpoolersClient(m.conn) }

// owner waits until a node has the spooler online, and gives it.
func (m *members) owner() (name string) {
	m.t.Helper()
	await(m.t, "an owner", func() bool {
		r, err := m.spoolers().GetSpooler(m.t.Context(), &apiv1.GetSpoolerRequest{Name: m.spooler}, grpc.WaitForReady(true))
		name = r.GetClusterSpooler().GetOwner()
		return err == nil && name != "" && strings.HasPrefix(r.GetClusterSpooler().GetState(), "online")
	})
	return name
}

// move has another node own the spooler.
func (m *members) move(to string) {
	stream, err := m.spoolers().MoveSpooler(m.t.Context(), &apiv1.MoveSpoolerRequest{Name: m.spooler, To: to, Wait: true})
	for err == nil {
		_, err = stream.Recv()
	}
	if !errors.Is(err, io.EOF) {
		m.t.Error(err)
	}
}

// addresses are those of all nodes, the given one first.
func (m *members) addresses(first string) []string {
	return []string{"unix:" + memberSocket(m.dir, first), "unix:" + memberSocket(m.dir, other(first))}
}

// other gives the node that is not the given one.
func other(name string) string {
	if name == "n1" {
		return "n2"
	}
	return "n1"
}

// once does something when the first bytes have come, and counts them.
type once struct {
	do    func()
	first sync.Once
	bytes int64
}

func (o *once) Step(client.Step) {}
func (o *once) Files(_, _ int, bytes, _ int64) {
	if o.bytes = bytes; bytes > 0 {
		o.first.Do(o.do)
	}
}

// failures are what becomes of the nodes in the middle of something. The client speaks to n1.
func failures() map[string]func(m *members) {
	return map[string]func(m *members){
		"moved to the one that is asked": func(m *members) { m.move("n1") },
		"moved away":                     func(m *members) { m.move("n2") },
		"the one that is asked dies":     func(m *members) { m.kill("n1") },
		"the owner dies":                 func(m *members) { m.kill("n2") },
	}
}

// before says where the spooler is when the failure comes.
func before(failure string) string {
	if failure == "moved away" {
		return "n1"
	}
	return "n2"
}

// TestClusterDownload: a download goes on where it was, whatever becomes of the nodes.
func TestClusterDownload(t *testing.T) {
	t.Parallel()
	m := newMembers(t)
	profile := icctest.Profile(strings.Repeat("a large profile ", 1<<20))
	m.put(`Color\Large.icm`, profile)
	m.set(registry.Strings("Files", "Large.icm"))
	for name, failure := range failures() {
		m.restore(before(name))
		moved := &once{do: func() { failure(m) }}
		con, _, err := m.client.connections.Add(t.Context(), m.name(), m.addresses("n1"), moved)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := int64(len(profile)) + con.Driver.Files[0].Size
		if len(con.Components) != 1 || con.Components[0].Refused != "" || moved.bytes != want {
			t.Errorf("%s: %d bytes were moved of %d: %+v", name, moved.bytes, want, con.Components)
		}
		got, err := os.ReadFile(filepath.Join(m.client.connections.Dir(), "Color", "Large.icm"))
		if err != nil || !bytes.Equal(got, profile) {
			t.Errorf("%s: %d bytes came, %v", name, len(got), err)
		}
		if _, err := m.client.connections.Delete(t.Context(), m.name(), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// restore has all nodes run, and the spooler where it is wanted.
func (m *members) restore(owner string) {
	m.t.Helper()
	for _, name := range memberNames() {
		if m.running[name] == nil {
			m.boot(name)
		}
	}
	if m.owner() != owner {
		m.move(owner)
	}
	await(m.t, "the spooler at "+owner, func() bool { return m.owner() == owner })
}

// TestClusterForward: a job that is being sent becomes one job, whatever becomes of the nodes.
func TestClusterForward(t *testing.T) {
	t.Parallel()
	m := newMembers(t)
	if _, _, err := m.client.connections.Add(t.Context(), m.name(), m.addresses("n1"), nil); err != nil {
		t.Fatal(err)
	}
	doc := page(8 << 20)
	documents := filepath.Join(m.dir, "shared", "spoolers", "ntprint", "documents")
	sent := 0
	for name, failure := range failures() {
		m.restore(before(name))
		known := len(hosttest.Documents(documents))
		id := m.print(doc)
		await(t, name+": the beginning", func() bool { return len(hosttest.Documents(documents)) > known })
		failure(m)
		sent++
		m.restore("n1")
		m.printed(sent, doc)
		await(t, name+": the client to hear of the end", func() bool { return len(m.here(false)) == 0 })
		r, err := m.near().GetJob(t.Context(), &apiv1.GetJobRequest{Id: id})
		if f := r.GetJob().GetForwarded(); err != nil || len(f) != 1 || f[0].GetJob().GetState() != "printed" {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// TestClusterTellsOfChanges: a client that watches hears of a change at the next owner too.
func TestClusterTellsOfChanges(t *testing.T) {
	t.Parallel()
	m := newMembers(t)
	m.restore("n2")
	if _, _, err := m.client.connections.Add(t.Context(), m.name(), m.addresses("n1"), nil); err != nil {
		t.Fatal(err)
	}
	m.kill("n2")
	await(t, "the other node to take over", func() bool { return m.owner() == "n1" })
	changed := icctest.Profile("another one, which is longer")
	m.put(`Color\Hpclrlsr.icm`, changed)
	await(t, "the change", func() bool {
		got, err := os.ReadFile(filepath.Join(m.client.connections.Dir(), "Color", "Hpclrlsr.icm"))
		return err == nil && bytes.Equal(got, changed)
	})
}
