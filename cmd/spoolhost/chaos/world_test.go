//go:build linux

package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/trust"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

const (
	nodes = 3
	lease = 2 * time.Second
	// patience is how long a step of the test may take on a machine that is very busy.
	patience = 2 * time.Minute
	// etcds are the members of an external etcd; all are on one machine.
	etcds       = 3
	etcdMachine = nodes + 1
)

// world is the cluster with all around it.
type world struct {
	*testing.T
	binary, dir string
	external    bool
	net         *network
	nodes       []*machineNode // by number; 0 is nobody
	etcd        []*process
	began       time.Time
	devices     *devices
	history     *history
	load        *load
}

// process is one that can be killed and started again.
type process struct {
	make func() *exec.Cmd // with a new log

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{}
	changes int // starts, ends, stops and goings on, so far
}

// machineNode is a host.
type machineNode struct {
	process
	number int
	conn   *grpc.ClientConn
	apiv1.JobsClient
	apiv1.PrintersClient
	apiv1.PortsClient
	apiv1.SpoolersClient
	apiv1.NodesClient
	apiv1.MonitorsClient
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	cmd := p.make()
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.exited = cmd, make(chan struct{})
	p.changes++
	go func(exited chan struct{}) { // it ends with the process
		_ = cmd.Wait()
		close(exited)
	}(p.exited)
	return nil
}

// signal sends one to the process itself.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
		p.changes++
	}
}

// gone waits for the process to end, and kills it if it does not.
func (p *process) gone(within time.Duration) (inTime bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return true
	}
	inTime = true
	select {
	case <-p.exited:
	case <-time.After(within):
		inTime = false
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	p.cmd = nil
	p.changes++
	return inTime
}

// state says how often it was started, ended or stopped, and its number.
func (p *process) state() (pid, changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		pid = p.cmd.Process.Pid
	}
	return pid, p.changes
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// until waits for something, and tells what it saw last if it never comes.
func (w *world) until(what string, is func() string) {
	w.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		lacks := is()
		if lacks == "" {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("never: %s: %s", what, lacks)
		}
	}
}

// newWorld makes the machines, their disks and their configuration. Nothing runs yet.
func newWorld(t *testing.T, binary string, place int, external bool) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "ch") // short: sockets are in it
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w := &world{T: t, binary: binary, dir: dir, external: external, began: began, devices: &devices{began: began}, history: &history{began: began}}
	t.Cleanup(w.clean)
	w.net = newNetwork(t, etcdMachine, place)
	w.ok(os.Mkdir(w.path("t"), 0o700))
	if err := run("mount", "-t", "tmpfs", "-o", "size=256m", "chaos", w.path("t")); err != nil {
		lacking(t, err)
	}
	w.nodes = append(w.nodes, nil)
	for n := 1; n <= nodes; n++ {
		shared := w.path("s" + strconv.Itoa(n))
		w.ok(os.Mkdir(shared, 0o700))
		w.ok(run("mount", "--bind", w.path("t"), shared))
		w.ok(os.WriteFile(w.path(strconv.Itoa(n)+".hcl"), []byte(w.configuration(n, shared)), 0o600))
		w.nodes = append(w.nodes, w.newNode(n))
	}
	return w
}

func (w *world) configuration(n int, shared string) string {
	engine := fmt.Sprintf("listen = %q", w.net.address(n)+":6313")
	if w.external {
		var list []string
		for m := range etcds {
			list = append(list, strconv.Quote(w.etcdURL(m)))
		}
		engine = fmt.Sprintf("engine = \"external\"\n  endpoints = [%s]\n  user = %q\n  password = %q\n  tls {\n    ca = %q\n    certificate = %q\n    key = %q\n  }",
			strings.Join(list, ", "), etcdUser, etcdPassword, w.path("tls/"+trust.CAFile), w.path("tls/"+trust.CertificateFile), w.path("tls/key.pem"))
	}
	return fmt.Sprintf(`data   = %q
listen = ["unix:%s", "tls:%s:6312"]
call_timeout     = "20s"
resource_timeout = "20s"
kill_grace       = "1s"
cluster {
  name   = "chaos"
  node   = "n%d"
  shared = %q
  lease  = %q
  %s
}
`, w.path("d"+strconv.Itoa(n)), w.path("a"+strconv.Itoa(n)), w.net.address(n), n, shared, lease, engine)
}

func (w *world) newNode(n int) *machineNode {
	quick := backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, MaxDelay: 300 * time.Millisecond}
	conn, err := grpc.NewClient("unix:"+w.path("a"+strconv.Itoa(n)), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: 5 * time.Second}))
	w.ok(err)
	m := &machineNode{
		number: n, conn: conn, JobsClient: apiv1.NewJobsClient(conn), PrintersClient: apiv1.NewPrintersClient(conn), PortsClient: apiv1.NewPortsClient(conn),
		SpoolersClient: apiv1.NewSpoolersClient(conn), NodesClient: apiv1.NewNodesClient(conn), MonitorsClient: apiv1.NewMonitorsClient(conn),
	}
	m.make = func() *exec.Cmd {
		return w.logged(w.net.command(n, w.binary, "serve", "--config", w.path(strconv.Itoa(n)+".hcl"), "--ipp", "none"), "n"+strconv.Itoa(n))
	}
	return m
}

// logged gives a command a log, behind what is in it.
func (w *world) logged(cmd *exec.Cmd, name string) *exec.Cmd {
	f, err := os.OpenFile(w.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.Error(err)
		return cmd
	}
	w.Cleanup(func() { _ = f.Close() })
	fmt.Fprintf(f, "---- at %.3fs\n", time.Since(w.began).Seconds())
	cmd.Stdout, cmd.Stderr = f, f
	return cmd
}

// command runs one of the program's commands on a node's machine.
func (w *world) command(n int, args ...string) string {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + w.net.namespace(n), w.binary}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.Fatalf("spoolhost %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// clean ends and removes all. Logs are kept if the test failed.
func (w *world) clean() {
	for _, p := range w.processes() {
		p.signal(syscall.SIGCONT)
		p.signal(syscall.SIGKILL)
		p.gone(patience)
	}
	for _, n := range w.nodes {
		if n != nil {
			_ = n.conn.Close()
		}
	}
	w.devices.close()
	for n := 1; n <= nodes; n++ {
		_ = run("umount", "-l", w.path("s"+strconv.Itoa(n)))
	}
	_ = run("umount", "-l", w.path("t"))
	if w.Failed() || *keep {
		w.Logf("the logs of all nodes are in %s", w.dir)
		return
	}
	_ = os.RemoveAll(w.dir)
}

func (w *world) processes() (list []*process) {
	for _, n := range w.nodes {
		if n != nil {
			list = append(list, &n.process)
		}
	}
	return append(list, w.etcd...)
}
