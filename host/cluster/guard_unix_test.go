//go:build unix

package cluster

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestGuard: when the deadline passes untold, the guard kills what it guards, and nothing
// else; also one that had died and was started again.
func TestGuard(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g := NewGuard([]string{self, GuardArg}, func(text string, err error) { t.Log(text, err) })
	defer g.Close()
	sleeper := func() (pid int, ended chan struct{}) {
		cmd := exec.Command("sleep", "300")
		cmd.SysProcAttr = apartFromHost()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended = make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait()
		}()
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			<-ended
		})
		return cmd.Process.Pid, ended
	}
	guarded, dead := sleeper()
	freed, alive := sleeper()
	g.Until(monotonic() + time.Hour)
	g.Add(guarded)
	g.Add(freed)
	_ = g.cmd.Process.Kill() // it is started again
	_, _ = g.cmd.Process.Wait()
	g.Remove(freed)
	stopped := g.cmd.Process
	_ = stopped.Signal(syscall.SIGSTOP)
	for limit := time.Now().Add(30 * time.Second); g.cmd.Process == stopped; { // one that reads nothing, too
		if g.Until(monotonic() + time.Hour); time.Now().After(limit) {
			t.Fatal("a stopped guard was kept")
		}
	}
	select {
	case <-dead:
		t.Fatal("killed before the deadline")
	case <-time.After(50 * time.Millisecond):
	}
	g.Until(monotonic() + 100*time.Millisecond)
	select {
	case <-dead:
	case <-time.After(30 * time.Second):
		t.Fatal("not killed at the deadline")
	}
	select {
	case <-alive:
		t.Error("killed though it was not guarded any more")
	default:
	}
}
