//go:build linux

package hostile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func TestMain(m *testing.M) {
	runModule()
	hosttest.ServeMonitor()
	unraced.Main(m)
}

// house is a host with a queue that prints all the time.
type house struct {
	*testing.T
	dir  string
	host *host.Host
	conn *grpc.ClientConn
	sink *hosttest.Sink
	good stream
	// module is the executable of the hostile modules.
	module string
}

const goodName = "Good"

func build(t *testing.T) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "sh") // t.TempDir is too long for sockets
	check(t, err)
	h := &house{T: t, dir: dir, good: stream{sums: make(map[string]bool)}}
	h.module, err = unraced.Executable()
	check(t, err)
	cfg := host.DefaultConfig()
	cfg.Data = filepath.Join(dir, "data")
	cfg.Listen = []string{"unix:" + filepath.Join(dir, "api")}
	cfg.Builtins = []catalog.Monitor{hosttest.Monitor(goodName)}
	cfg.Limits.Call, cfg.Limits.Resource, cfg.Limits.Grace = 15*time.Second, time.Minute, 500*time.Millisecond
	cfg.RegistryLimit = 256 << 10
	h.host, err = host.New(context.Background(), cfg)
	check(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.host.Run(ctx) }()
	select {
	case <-h.host.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	h.conn, err = grpc.NewClient("unix:"+filepath.Join(dir, "api"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	h.sink, err = hosttest.NewSink(nil)
	check(t, err)
	t.Cleanup(func() {
		_ = h.conn.Close()
		stop()
		if err := <-done; err != nil {
			t.Errorf("the host ended with %v", err)
		}
		check(t, h.host.Close())
		h.sink.Close()
		_ = os.RemoveAll(dir)
	})
	check(t, h.node().AddPort(t.Context(), goodName, goodName, map[string]string{"to": fmt.Sprintf("127.0.0.1:%d", h.sink.Port())}))
	check(t, h.node().AddPrinter(t.Context(), goodName, spooler.Settings{Ports: []string{goodName}}))
	return h
}

func (h *house) node() *spooler.Spooler         { return h.host.Node() }
func (h *house) monitors() apiv1.MonitorsClient { return apiv1.NewMonitorsClient(h.conn) }

// stream is the queue that prints without a break: it submits a document when the last
// has printed. Whoever holds its turn keeps it from beginning another.
type stream struct {
	turn    sync.Mutex
	printed atomic.Int64
	sums    map[string]bool
}

func (h *house) print(ctx context.Context) {
	random := rand.New(rand.NewPCG(1, 2))
	often := time.NewTicker(50 * time.Millisecond)
	defer often.Stop()
	for ctx.Err() == nil {
		data := make([]byte, 1+random.IntN(100_000))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		h.good.turn.Lock()
		h.printOne(data)
		h.good.turn.Unlock()
		<-often.C
	}
}

func (h *house) printOne(data []byte) {
	j, err := h.node().Submit(context.Background(), spooler.Submission{Printer: goodName, User: "good", Title: "good"}, bytes.NewReader(data))
	if err != nil {
		h.Errorf("the good queue takes no document: %v", err)
		return
	}
	h.good.sums[sum(data)] = true
	j = h.final(h.T, j.ID)
	if j.State != job.Printed || len(j.Attempts) != 1 {
		h.Errorf("a document of the good queue is %s after %+v", j.State, j.Attempts)
	}
	h.good.printed.Add(1)
}

// final waits until a job has ended, and gives it as it is.
func (h *house) final(t testing.TB, id uint64) (j *job.Job) {
	changed, stop := h.node().Queue().Watch(id)
	defer stop()
	limit := time.After(poll.Patience)
	for {
		var err error
		j, err = h.node().Queue().Get(context.Background(), id)
		check(t, err)
		if j.State.Final() {
			return j
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("job %d does not end: %+v", id, j)
		}
	}
}

// goesOn waits until the good queue has printed two more whole documents.
func (h *house) goesOn(t testing.TB) {
	t.Helper()
	from := h.good.printed.Load()
	poll.Until(t, "the good queue prints on", func() bool { return h.good.printed.Load() >= from+2 })
}

// verify compares what came out at the good device with what was submitted.
func (h *house) verify() {
	h.Helper()
	seen := make(map[string]int)
	for i, r := range h.sink.Receipts() {
		seen[r.SHA256]++
		if r.Err != nil || r.Ended.IsZero() || !h.good.sums[r.SHA256] || seen[r.SHA256] > 1 {
			h.Errorf("receipt %d: %d bytes, %v, known %v, seen %d times", i, r.Bytes, r.Err, h.good.sums[r.SHA256], seen[r.SHA256])
		}
	}
	if len(seen) != len(h.good.sums) {
		h.Errorf("%d documents came out, %d were submitted", len(seen), len(h.good.sums))
	}
	h.Logf("the good queue printed %d documents", len(seen))
}

// state is what must be the same before and after.
type state struct{ goroutines, files, children, runtime, records, documents int }

// rest lets the good queue finish its document and gives the state.
func (h *house) rest() state {
	h.good.turn.Lock()
	defer h.good.turn.Unlock()
	return h.state()
}

func (h *house) state() state {
	return state{
		goroutines: runtime.NumGoroutine(), files: entries("/proc/self/fd"), children: len(processes(func(p proc) bool { return p.parent == os.Getpid() })),
		runtime: entries(filepath.Join(h.dir, "data", "run")), records: entries(filepath.Join(h.dir, "data", "modules")),
		documents: len(hosttest.Documents(filepath.Join(h.dir, "data", "documents"))),
	}
}

// wantSame waits until everything is as it was. Fewer goroutines and files are no leak.
func (h *house) wantSame(t testing.TB, before state) {
	t.Helper()
	h.good.turn.Lock()
	defer h.good.turn.Unlock()
	var now state
	ok := poll.OK(func() bool {
		now = h.state()
		now.goroutines, now.files = max(now.goroutines, before.goroutines), max(now.files, before.files)
		return now == before
	})
	if !ok {
		var stacks strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		t.Errorf("something is left:\nbefore %+v\nafter  %+v\n%s", before, now, stacks.String())
	}
}

func entries(dir string) int {
	list, _ := os.ReadDir(dir)
	return len(list)
}

// proc is a process of this machine.
type proc struct {
	pid, parent int
	text        string // arguments and environment
}

func processes(ok func(proc) bool) (found []proc) {
	list, _ := os.ReadDir("/proc")
	for _, e := range list {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		args, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		env, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		p := proc{pid: pid, text: string(args) + string(env)}
		p.parent, _ = strconv.Atoi(fields[1])
		if ok(p) {
			found = append(found, p)
		}
	}
	return found
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
