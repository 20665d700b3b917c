//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// envMode makes this test binary, launched again, behave as a module (or as a host).
const envMode = "SPOOLHOST_TEST_MODE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(envMode); mode != "" {
		runMode(mode)
		os.Exit(0)
	}
	unraced.Main(m)
}

// images is shared: hashing the test binary for each test would cost most of the time.
var (
	images       = NewImages()
	incarnations atomic.Uint64
)

var self = sync.OnceValues(func() (path, digest string) {
	path, err := unraced.Executable()
	if err != nil {
		panic(err)
	}
	if digest, err = images.Digest(path); err != nil {
		panic(err)
	}
	return path, digest
})

// newEnv makes an environment whose end checks that no process left anything.
func newEnv(t testing.TB) *Env {
	t.Helper()
	dir, err := os.MkdirTemp("", "sh") // t.TempDir is too long for sockets
	check(t, err)
	orphans, err := NewOrphans(filepath.Join(dir, "orphans"))
	check(t, err)
	env := &Env{
		Launcher: NewLauncher(), Images: images, RuntimeDir: filepath.Join(dir, "run"), Orphans: orphans,
		StartTimeout: 30 * time.Second, StopGrace: 5 * time.Second, Now: time.Now,
	}
	check(t, os.Mkdir(env.RuntimeDir, 0o700))
	launcher := env.Launcher
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		launcher.Run(ctx)
	}()
	t.Cleanup(func() {
		for _, d := range []string{env.RuntimeDir, orphans.dir} {
			if left, err := os.ReadDir(d); err != nil || len(left) > 0 {
				t.Errorf("left in %s: %v %v", d, left, err)
			}
		}
		cancel()
		<-done
		_ = os.RemoveAll(dir)
	})
	return env
}

func specFor(mode string, env ...string) Spec {
	path, digest := self()
	return Spec{
		Name: "test", Path: path, Digest: digest, Args: []string{"-test.run=^$"},
		Env: append([]string{envMode + "=" + mode}, env...), Incarnation: incarnations.Add(1),
	}
}

func noServices(grpc.ServiceRegistrar) {}

// start launches this binary as a module; it is killed at the end of the test.
func start(t testing.TB, env *Env, mode string, vars ...string) *Process {
	t.Helper()
	p, err := env.Start(context.Background(), specFor(mode, vars...), noServices, nil)
	check(t, err)
	t.Cleanup(func() {
		p.Kill("the test is over")
		within(t, "release", p.Released())
	})
	return p
}

// channel is a way to make the module of mode "monitor" do things.
type channel struct {
	t   testing.TB
	xcv monitor.Xcv
}

func open(t testing.TB, p *Process) channel {
	t.Helper()
	ctx := deadline(t, poll.Patience)
	m, err := monitorwire.Initialize(ctx, p.Conn(), monitorwire.Init{Token: "t", Root: 1, MonitorName: "m", ServerName: "s"})
	check(t, err)
	x, err := m.XcvOpenPort(ctx, "", 0)
	check(t, err)
	return channel{t: t, xcv: x}
}

func (c channel) do(what, with string) string {
	c.t.Helper()
	out, err := c.try(what, with)
	check(c.t, err)
	return string(out)
}

func (c channel) try(what, with string) ([]byte, error) {
	return c.xcv.Data(deadline(c.t, 20*time.Second), what, []byte(with))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, kind spoolerr.Kind) {
	t.Helper()
	if err == nil || spoolerr.KindOf(err) != kind {
		t.Fatalf("error %v is of kind %v, want %v", err, spoolerr.KindOf(err), kind)
	}
}

func deadline(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// within fails the test if done is not closed in time, and says how long it took.
func within(t testing.TB, what string, done <-chan struct{}) time.Duration {
	t.Helper()
	began := time.Now()
	limit := time.NewTimer(poll.Patience)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		t.Fatalf("%s took more than %v", what, poll.Patience)
	}
	return time.Since(began)
}

// alive says whether a process runs; a zombie does not.
func alive(pid int) bool {
	_, state := startTime(pid)
	return state != "" && state != "Z" && state != "X"
}

func stateOf(pid int) string {
	_, state := startTime(pid)
	return state
}

func atoi(t testing.TB, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return n
}
