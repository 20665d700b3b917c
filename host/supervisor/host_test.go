//go:build linux

package supervisor

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// runHost is a host: it starts a module with a grandchild and says their numbers.
func runHost() {
	dir := os.Getenv("HOST_DIR")
	env := &Env{
		Launcher: NewLauncher(), Images: NewImages(), RuntimeDir: dir,
		StartTimeout: 30 * time.Second, StopGrace: time.Second, Now: time.Now,
	}
	env.Orphans, _ = NewOrphans(filepath.Join(dir, "orphans"))
	go env.Launcher.Run(context.Background())
	path, err := os.Executable()
	must(err)
	digest, err := env.Images.Digest(path)
	must(err)
	p, err := env.Start(context.Background(), Spec{
		Name: "kept", Path: path, Digest: digest, Args: []string{"-test.run=^$"}, Env: []string{envMode + "=monitor"}, Incarnation: 1,
	}, noServices, nil)
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := monitorwire.Initialize(ctx, p.Conn(), monitorwire.Init{Token: "t", Root: 1})
	must(err)
	var x monitor.Xcv
	x, err = m.XcvOpenPort(ctx, "", 0)
	must(err)
	grandchild, err := x.Data(ctx, "spawn", nil)
	must(err)
	fmt.Printf("%d %s\n", p.PID, grandchild)
	select {}
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// launchHost runs this binary as a host and gives the numbers of all three generations.
func launchHost(t *testing.T, dir string) (host *exec.Cmd, module, grandchild int) {
	t.Helper()
	path, _ := self()
	host = exec.Command(path, "-test.run=^$")
	host.Env = append(os.Environ(), envMode+"=host", "HOST_DIR="+dir)
	out, err := host.StdoutPipe()
	check(t, err)
	check(t, host.Start())
	t.Cleanup(func() {
		_ = host.Process.Kill()
		_ = host.Wait()
		for _, pid := range []int{module, grandchild} {
			if pid > 0 && alive(pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the host said %q: %v", line, err)
	}
	if _, err := fmt.Sscan(line, &module, &grandchild); err != nil {
		t.Fatalf("the host said %q", line)
	}
	return host, module, grandchild
}

func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sh")
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestHostKilled: whatever kills the host, the module dies with it, and so does what the
// module started: two senders must never print one document.
func TestHostKilled(t *testing.T) {
	for round := range 5 {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			host, module, grandchild := launchHost(t, shortDir(t))
			began := time.Now()
			check(t, host.Process.Kill())
			poll.Until(t, "the module is gone", func() bool { return !alive(module) })
			t.Logf("the module was gone after %v", time.Since(began))
			poll.Until(t, "its grandchild is gone", func() bool { return !alive(grandchild) })
		})
	}
}

// TestHostKilledWithStoppedModule: a stopped module sends nothing, but could go on later.
// The next host ends it before it sends anything itself.
func TestHostKilledWithStoppedModule(t *testing.T) {
	dir := shortDir(t)
	host, module, grandchild := launchHost(t, dir)
	check(t, syscall.Kill(module, syscall.SIGSTOP))
	poll.Until(t, "the module stops", func() bool { return stateOf(module) == "T" })
	check(t, host.Process.Kill())
	_ = host.Wait()
	next, err := NewOrphans(filepath.Join(dir, "orphans"))
	check(t, err)
	_, err = next.End(deadline(t, poll.Patience))
	check(t, err)
	if alive(module) || alive(grandchild) {
		t.Errorf("after Orphans.End: module alive %v, grandchild alive %v", alive(module), alive(grandchild))
	}
}
