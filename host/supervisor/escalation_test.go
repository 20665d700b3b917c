//go:build linux

package supervisor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// TestEnd: whatever state a module is in, End does not wait and the process is gone soon.
// From the first moment no call reaches it.
func TestEnd(t *testing.T) {
	for name, c := range map[string]struct {
		mode string
		make func(t *testing.T, p *Process)
		how  string
	}{
		"idle":              {"monitor", func(*testing.T, *Process) {}, "signal: terminated"},
		"hung":              {"monitor", func(t *testing.T, p *Process) { hang(t, p) }, "signal: terminated"},
		"hung and deaf":     {"deaf", func(t *testing.T, p *Process) { hang(t, p) }, "signal: killed"},
		"stopped":           {"monitor", stopModule, "signal: killed"},
		"stopped in a call": {"monitor", func(t *testing.T, p *Process) { hang(t, p); stopModule(t, p) }, "signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.EndStep = 200 * time.Millisecond
			p := start(t, env, c.mode)
			channel := open(t, p)
			c.make(t, p)
			var callers sync.WaitGroup
			for range 10 {
				callers.Go(func() { p.End("it hangs") })
			}
			callers.Wait()
			if reason, ok := p.EndedByHost(); !ok || reason != "it hangs" {
				t.Errorf("ended by the host: %q, %v", reason, ok)
			}
			_, err := channel.try("cwd", "")
			wantKind(t, err, spoolerr.Exited)
			if !strings.Contains(err.Error(), "it hangs") {
				t.Errorf("a call meanwhile: %v", err)
			}
			took := within(t, "release", p.Released())
			t.Logf("released after %v", took)
			if how := p.run.exitText(); how != c.how {
				t.Errorf("ended by %q, want %q", how, c.how)
			}
			p.End("again")
		})
	}
}

func stopModule(t *testing.T, p *Process) {
	t.Helper()
	check(t, syscall.Kill(p.PID, syscall.SIGSTOP))
	poll.Until(t, "the module stops", func() bool { return stateOf(p.PID) == "T" })
}

// TestEndLetsCallsFinish: a call under way has the time of a step to come to its end.
func TestEndLetsCallsFinish(t *testing.T) {
	env := newEnv(t)
	env.EndStep = time.Minute
	p := start(t, env, "monitor")
	flag := filepath.Join(t.TempDir(), "go on")
	ctx, giveUp := context.WithCancel(deadline(t, poll.Patience))
	failed := hangIn(ctx, t, p, "linger", flag)
	p.End("another document hangs")
	giveUp() // the module is waiting for its file now
	<-failed
	if !alive(p.PID) {
		t.Error("it was ended in the middle of a call")
	}
	check(t, os.WriteFile(flag, nil, 0o600))
	within(t, "release", p.Released())
}

// TestGivenUp: a call that the host gives up must end within the grace. A module that sees
// to that lives on; one that does not is ended, and so is one that cannot tell.
func TestGivenUp(t *testing.T) {
	env := newEnv(t)
	env.StopGrace = 500 * time.Millisecond
	t.Run("obeys", func(t *testing.T) {
		p := start(t, env, "monitor")
		for range 3 {
			ctx, giveUp := context.WithCancel(deadline(t, poll.Patience))
			failed := hangIn(ctx, t, p, "wait", "")
			giveUp()
			wantKind(t, <-failed, spoolerr.Cancelled)
		}
		poll.Until(t, "the calls have settled", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return !p.settling
		})
		open(t, p).do("cwd", "")
		if reason, ending := p.EndedByHost(); ending {
			t.Errorf("it is ended: %s", reason)
		}
	})
	t.Run("hangs", func(t *testing.T) {
		p := start(t, env, "monitor")
		wantKind(t, <-hangIn(deadline(t, time.Second), t, p, "hang", ""), spoolerr.TimedOut)
		within(t, "its end", p.Released())
		if reason, _ := p.EndedByHost(); reason != "XcvDataPort did not react to cancellation within 500ms" {
			t.Errorf("ended for %q", reason)
		}
	})
	t.Run("hangs while another obeys", func(t *testing.T) {
		p := start(t, env, "monitor")
		flag := filepath.Join(t.TempDir(), "go on")
		slow, giveUpSlow := context.WithCancel(deadline(t, poll.Patience))
		first := hangIn(slow, t, p, "linger", flag)
		giveUpSlow()
		<-first
		hung, giveUpHung := context.WithCancel(deadline(t, poll.Patience))
		second := hangIn(hung, t, p, "hang", "")
		giveUpHung()
		<-second
		check(t, os.WriteFile(flag, nil, 0o600))
		within(t, "its end", p.Released())
	})
	t.Run("cannot tell", func(t *testing.T) {
		p := start(t, env, "simple")
		_, err := monitorv2.NewPrintMonitorClient(p.Conn()).EnumPorts(deadline(t, 100*time.Millisecond), &monitorv2.EnumPortsRequest{})
		if err == nil {
			t.Error("no error")
		}
		if _, ending := p.EndedByHost(); ending {
			t.Error("it is ended without the grace")
		}
		within(t, "its end", p.Released())
	})
	t.Run("stopped", func(t *testing.T) {
		p := start(t, env, "monitor")
		c := open(t, p)
		stopModule(t, p)
		_, err := c.xcv.Data(deadline(t, 100*time.Millisecond), "cwd", nil)
		wantKind(t, err, spoolerr.TimedOut)
		within(t, "its end", p.Released())
	})
}

// TestGraceOfAModule: the grace of a module replaces the host's.
func TestGraceOfAModule(t *testing.T) {
	env := newEnv(t)
	env.StopGrace = time.Hour
	env.EndStep = 10 * time.Millisecond
	spec := specFor("monitor")
	spec.Grace = 50 * time.Millisecond
	p, err := env.Start(context.Background(), spec, noServices, nil)
	check(t, err)
	<-hangIn(deadline(t, time.Second), t, p, "hang", "")
	within(t, "its end", p.Released())
}

// TestDescribeIsNoHang: what the host asks to manage a module is not watched: whoever asks
// decides.
func TestDescribeIsNoHang(t *testing.T) {
	env := newEnv(t)
	env.StopGrace = time.Millisecond
	p := start(t, env, "monitor")
	stopModule(t, p)
	_, err := pluginv1.NewPluginClient(p.Conn()).Describe(deadline(t, 50*time.Millisecond), &pluginv1.DescribeRequest{})
	if err == nil {
		t.Error("a stopped module answers")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settling || p.ending {
		t.Error("it is watched")
	}
}
