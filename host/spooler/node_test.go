package spooler_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

func TestMain(m *testing.M) {
	hosttest.ServeMonitor()
	serveUnconverted()
	serveNamed()
	serveEarly()
	unraced.Main(m)
}

// node is a host with the test monitor, which can be stopped and started again.
type node struct {
	testing.TB
	dir    string
	adjust func(*host.Config)
	host   *host.Host
	stop   context.CancelFunc
	done   chan error
}

// monitorName is the monitor that every node has.
const monitorName = "Test Monitor"

// catalogMonitor is this binary as a monitor: the test monitor, or what arg makes of it.
func catalogMonitor(name, arg string) catalog.Monitor {
	m := hosttest.Monitor(name)
	if arg != "" {
		m.Args = []string{arg}
	}
	return m
}

func withMonitors(monitors ...catalog.Monitor) func(*host.Config) {
	return func(c *host.Config) { c.Builtins = monitors }
}

func boot(t testing.TB, adjust func(*host.Config)) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "spoolhost") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	n := &node{TB: t, dir: dir, adjust: adjust}
	t.Cleanup(func() {
		n.halt()
		_ = os.RemoveAll(dir)
	})
	n.start()
	return n
}

func (n *node) config() host.Config {
	cfg := host.DefaultConfig()
	cfg.Data = filepath.Join(n.dir, "data")
	cfg.Listen = []string{"unix:" + filepath.Join(n.dir, "api")}
	cfg.Builtins = []catalog.Monitor{hosttest.Monitor(monitorName)}
	cfg.Limits.Grace = 200 * time.Millisecond
	if n.adjust != nil {
		n.adjust(&cfg)
	}
	return cfg
}

func (n *node) start() {
	n.Helper()
	h, err := host.New(context.Background(), n.config())
	if err != nil {
		n.Fatal(err)
	}
	n.run(h)
}

func (n *node) run(h *host.Host) {
	n.Helper()
	ctx, stop := context.WithCancel(context.Background())
	n.host, n.stop, n.done = h, stop, make(chan error, 1)
	go func() { n.done <- h.Run(ctx) }()
	select {
	case <-h.Ready():
	case err := <-n.done:
		n.done <- err
		n.Fatalf("the host ended: %v", err)
	case <-time.After(poll.Patience):
		n.Fatal("the host is not ready")
	}
}

// halt stops the host in order.
func (n *node) halt() {
	n.Helper()
	if n.host == nil {
		return
	}
	n.stop()
	select {
	case err := <-n.done:
		if err != nil {
			n.Errorf("the host ended with %v", err)
		}
	case <-time.After(poll.Patience):
		n.Fatal("the host does not stop")
	}
	if err := n.host.Close(); err != nil {
		n.Error(err)
	}
	n.host = nil
}

func (n *node) restart() {
	n.Helper()
	n.halt()
	n.start()
}

func (n *node) node() *spooler.Spooler { return n.host.Node() }

func (n *node) ok(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

// port adds a port: settings are key, value, key, value.
func (n *node) port(name string, settings ...string) {
	n.Helper()
	n.portOf(monitorName, name, settings...)
}

func (n *node) portOf(monitor, name string, settings ...string) {
	n.Helper()
	set := make(map[string]string)
	for i := 0; i+1 < len(settings); i += 2 {
		set[settings[i]] = settings[i+1]
	}
	n.ok(n.node().AddPort(n.Context(), name, monitor, set))
}

func (n *node) printer(name string, ports ...string) {
	n.Helper()
	n.ok(n.node().AddPrinter(n.Context(), name, spooler.Settings{Ports: ports}))
}

func (n *node) set(name string, set spooler.Settings) {
	n.Helper()
	n.ok(n.node().UpdatePrinter(n.Context(), name, set))
}

// submit queues a document and gives the job's id.
func (n *node) submit(printer string, data []byte) uint64 {
	n.Helper()
	return n.submitAs(spooler.Submission{Printer: printer}, data)
}

func (n *node) submitAs(sub spooler.Submission, data []byte) uint64 {
	n.Helper()
	if sub.User == "" {
		sub.User, sub.Title = "ann", "a document"
	}
	j, err := n.node().Submit(n.Context(), sub, bytes.NewReader(data))
	n.ok(err)
	return j.ID
}

func (n *node) job(id uint64) *job.Job {
	n.Helper()
	j, err := n.node().Queue().Get(n.Context(), id)
	n.ok(err)
	return j
}

// await waits until a job satisfies a condition.
func (n *node) await(id uint64, what string, ok func(*job.Job) bool) *job.Job {
	n.Helper()
	changed, stop := n.node().Queue().Watch(id)
	defer stop()
	deadline := time.NewTimer(poll.Patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond) // progress is not told
	defer tick.Stop()
	for {
		j := n.job(id)
		if ok(j) {
			return j
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-deadline.C:
			n.Fatalf("job %d does not become %s: %+v", id, what, j)
		}
	}
}

func (n *node) state(id uint64, s job.State) *job.Job {
	n.Helper()
	return n.await(id, string(s), func(j *job.Job) bool { return j.State == s })
}

func (n *node) printed(ids ...uint64) {
	n.Helper()
	for _, id := range ids {
		n.state(id, job.Printed)
	}
}

// sending waits until some bytes of the job have left.
func (n *node) sending(id uint64) *job.Job {
	n.Helper()
	return n.await(id, "on its way", func(j *job.Job) bool { return j.Current() != nil && j.Current().BytesSent > 0 })
}

// until polls a condition that nothing tells of.
func (n *node) until(what string, ok func() bool) {
	n.Helper()
	poll.Until(n, what, ok)
}

func (n *node) outcomes(id uint64, want ...job.Outcome) {
	n.Helper()
	var got []job.Outcome
	for _, a := range n.job(id).Attempts {
		got = append(got, a.Outcome)
	}
	if !slices.Equal(got, want) {
		n.Errorf("attempts of job %d: %v, want %v:\n%+v", id, got, want, n.job(id).Attempts)
	}
}

func (n *node) kill() {
	n.Helper()
	v, _ := n.node().Monitor(monitorName)
	n.ok(kill(v.Process.PID))
}

// documents names the files in the documents' directory.
func (n *node) documents() []string {
	return hosttest.Documents(filepath.Join(n.dir, "data", "documents"))
}

// sink is a device, with a gate that holds documents back while it is shut.
type sink struct {
	*hosttest.Sink
	t    testing.TB
	gate chan struct{} // closed when it is open
}

func newSink(t testing.TB) *sink {
	t.Helper()
	s := &sink{t: t, gate: make(chan struct{})}
	close(s.gate)
	s.listen(nil)
	return s
}

// newShutSink takes the first 64 KiB of every document and no more until it is opened.
func newShutSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{t: t, gate: make(chan struct{})}
	s.listen(func(_ int, received int64) {
		if received > 0 {
			<-s.gate
		}
	})
	t.Cleanup(s.open)
	return s
}

func (s *sink) listen(gate func(int, int64)) {
	var err error
	if s.Sink, err = hosttest.NewSink(gate); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		s.open()
		s.Close()
	})
}

func (s *sink) open() {
	select {
	case <-s.gate:
	default:
		close(s.gate)
	}
}

func (s *sink) to() string { return fmt.Sprintf("127.0.0.1:%d", s.Port()) }

// whole counts the orderly connections that brought exactly data.
func (s *sink) whole(data []byte) (n int) {
	for _, r := range s.Receipts() {
		if !r.Ended.IsZero() && r.Err == nil && r.SHA256 == sum(data) {
			n++
		}
	}
	return n
}

func (s *sink) wantWhole(data []byte, n int) {
	s.t.Helper()
	if got := s.whole(data); got != n {
		s.t.Errorf("the device has the document %d times, want %d", got, n)
	}
}

// texts are the beginnings of what came whole, in order.
func (s *sink) texts() []string {
	var list []string
	for _, r := range s.Receipts() {
		if !r.Ended.IsZero() && r.Err == nil {
			list = append(list, string(r.First[:bytes.IndexByte(append(slices.Clone(r.First), ' '), ' ')]))
		}
	}
	return list
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// paper makes a document that begins with its name.
func paper(name string, size int) []byte {
	return append([]byte(name+" "), []byte(strings.Repeat("0123456789", size/10+1))[:size]...)
}

// big is longer than a sink's gate and the buffers of a connection let through.
const big = 12 << 20
