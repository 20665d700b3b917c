//go:build linux

package supervisor

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// hang makes a call that does not return, and gives its error when it does.
func hang(t *testing.T, p *Process) <-chan error {
	t.Helper()
	return hangIn(deadline(t, poll.Patience), t, p, "hang", "")
}

// hangIn makes a call that does not return before ctx ends.
func hangIn(ctx context.Context, t *testing.T, p *Process, what, with string) <-chan error {
	t.Helper()
	c := open(t, p)
	failed, before := make(chan error, 1), hanging(p)
	go func() {
		_, err := c.xcv.Data(ctx, what, []byte(with))
		failed <- err
	}()
	poll.Until(t, "the module is in the call", func() bool { return hanging(p) > before })
	return failed
}

// hanging counts the calls that said that they hang.
func hanging(p *Process) (n int) {
	for _, l := range p.Tail() {
		if l.Text == "hanging" {
			n++
		}
	}
	return n
}

// TestCrash: a module that is killed in a call. The end is seen at once, the call fails
// with the story of the process, and so does every later call, also when all is cleaned up.
func TestCrash(t *testing.T) {
	env := newEnv(t)
	p := start(t, env, "monitor")
	c := open(t, p)
	failed := hang(t, p)
	began := time.Now()
	check(t, syscall.Kill(p.PID, syscall.SIGKILL))
	within(t, "seeing the crash", p.Done())
	t.Logf("crash seen after %v", time.Since(began))
	err := <-failed
	t.Logf("call failed after %v", time.Since(began))
	for _, when := range []string{"in flight", "after the end", "after the release"} {
		wantKind(t, err, spoolerr.Exited)
		if !strings.Contains(err.Error(), "signal: killed") || !strings.Contains(err.Error(), "module test") {
			t.Errorf("%s: %q does not say how it ended", when, err)
		}
		if when == "after the end" {
			within(t, "release", p.Released())
		}
		_, err = c.try("print", "1")
	}
	if reason, byHost := p.EndedByHost(); byHost {
		t.Errorf("ended by the host: %s", reason)
	}
	wantKind(t, p.Err(), spoolerr.Exited)
}

func TestPanicIsTold(t *testing.T) {
	env := newEnv(t)
	p := start(t, env, "monitor")
	_, err := open(t, p).try("panic", "paper jam in the code")
	wantKind(t, err, spoolerr.Exited)
	if !strings.Contains(err.Error(), "panic: puppet: paper jam in the code") {
		t.Errorf("the call's error %q does not tell the panic", err)
	}
}

// TestKillInCall: what the host ends is told apart from what ends by itself.
func TestKillInCall(t *testing.T) {
	env := newEnv(t)
	p := start(t, env, "monitor")
	failed := hang(t, p)
	p.Kill("because of the test")
	p.Kill("and again")
	err := <-failed
	wantKind(t, err, spoolerr.Exited)
	if reason, ok := p.EndedByHost(); !ok || reason != "because of the test" || !strings.Contains(err.Error(), reason) {
		t.Errorf("reason %q, error %q", reason, err)
	}
}

// TestStopped: Kill and Stop of a stopped process, where go-plugin's Kill and Ping hang
// for ever (X3, X13).
func TestStopped(t *testing.T) {
	for name, end := range map[string]func(*Process){
		"kill": func(p *Process) { p.Kill("test") },
		"stop": func(p *Process) { p.Stop(context.Background(), "test") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.StopGrace = 200 * time.Millisecond
			p := start(t, env, "monitor")
			check(t, syscall.Kill(p.PID, syscall.SIGSTOP))
			poll.Until(t, "the module stops", func() bool { return stateOf(p.PID) == "T" })
			began := time.Now()
			end(p)
			within(t, "the end of a stopped module", p.Released())
			t.Logf("%s of a stopped module: all released after %v", name, time.Since(began))
		})
	}
}

func TestStop(t *testing.T) {
	t.Run("in order", func(t *testing.T) {
		p := start(t, newEnv(t), "monitor")
		began := time.Now()
		p.Stop(deadline(t, poll.Patience), "test")
		within(t, "release", p.Released())
		t.Logf("stop: %v", time.Since(began))
		p.Stop(deadline(t, time.Second), "again") // of a process that is gone: no effect, no wait
	})
	t.Run("deaf to SIGTERM, in a call", func(t *testing.T) {
		env := newEnv(t)
		env.StopGrace = 100 * time.Millisecond
		p := start(t, env, "deaf")
		failed := hang(t, p)
		p.Stop(deadline(t, poll.Patience), "test")
		wantKind(t, <-failed, spoolerr.Exited)
	})
	t.Run("caller gives up", func(t *testing.T) {
		env := newEnv(t)
		env.StopGrace = time.Hour
		p := start(t, env, "deaf")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			p.Stop(ctx, "test")
		}()
		within(t, "Stop", stopped)
	})
}

// TestGrandchild: one that holds standard output and standard error, which keeps
// go-plugin's Kill waiting for ever (X2, X12).
func TestGrandchild(t *testing.T) {
	env := newEnv(t)
	p := start(t, env, "monitor")
	grandchild := atoi(t, open(t, p).do("spawn", ""))
	if !alive(grandchild) {
		t.Fatal("no grandchild")
	}
	began := time.Now()
	check(t, syscall.Kill(p.PID, syscall.SIGKILL))
	within(t, "seeing the crash", p.Done())
	t.Logf("crash with a grandchild seen after %v", time.Since(began))
	poll.Until(t, "the grandchild is gone", func() bool { return !alive(grandchild) })
	within(t, "release", p.Released())
}

func TestRequireDeadline(t *testing.T) {
	p := start(t, newEnv(t), "monitor")
	_, err := pluginv1.NewPluginClient(p.Conn()).Describe(context.Background(), &pluginv1.DescribeRequest{})
	err = spoolgrpc.FromStatus(err)
	wantKind(t, err, spoolerr.Internal)
	if !strings.Contains(err.Error(), "no deadline") {
		t.Errorf("error %q", err)
	}
}

// TestBigReply: go-plugin takes 2 GiB (X11). The process goes on.
func TestBigReply(t *testing.T) {
	p := start(t, newEnv(t), "big")
	client := monitorv2.NewPrintMonitorClient(p.Conn())
	for range 2 {
		_, err := client.EnumPorts(deadline(t, poll.Patience), &monitorv2.EnumPortsRequest{})
		wantKind(t, spoolgrpc.FromStatus(err), spoolerr.Exhausted)
	}
	if _, err := pluginv1.NewPluginClient(p.Conn()).Describe(deadline(t, poll.Patience), &pluginv1.DescribeRequest{}); err != nil {
		t.Error(err)
	}
}

// TestNoise: what makes go-plugin's parser panic (X4), and other rubbish. The module works.
func TestNoise(t *testing.T) {
	for name, noise := range map[string]string{
		"message":   "{\"@message\":1}\n",
		"level":     "{\"@message\":\"m\",\"@level\":2}\n",
		"timestamp": "{\"@message\":\"m\",\"@timestamp\":[]}\n",
		"null":      "{\"@message\":null,\"@level\":null}\nnull\n{}\n[]\n",
		"cut":       "{\"@message\":\"\n",
		"deep":      strings.Repeat("{\"a\":", 2000) + "\n",
		"binary":    "\xff\xfe\x80\n\x1b[2J\r\n",
		"no end":    "no newline",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, newEnv(t), "noisy", "NOISE="+noise)
			if got := open(t, p).do("cwd", ""); got != p.dir {
				t.Errorf("the module answers %q", got)
			}
			p.Kill("test")
			within(t, "release", p.Released())
			if len(p.Tail()) == 0 {
				t.Error("its line is not in the tail")
			}
		})
	}
}

func TestMegabyteLine(t *testing.T) {
	p := start(t, newEnv(t), "megaline")
	open(t, p).do("cwd", "")
	poll.Until(t, "a line in the tail", func() bool { return len(p.Tail()) > 0 })
	if long := len(p.Tail()[0].Text); long > maxLine {
		t.Errorf("a line of %d bytes is in the tail", long)
	}
}

// TestFlood: a module that writes without end is slowed by its pipe; the host keeps the
// last lines, passes on a few, and counts the rest.
func TestFlood(t *testing.T) {
	env := newEnv(t)
	var mu sync.Mutex
	passed, counted := 0, 0
	p, err := env.Start(context.Background(), specFor("flood"), noServices, func(l Line) {
		mu.Lock()
		defer mu.Unlock()
		passed++
		if strings.HasPrefix(l.Text, "lines left out") {
			counted++
		}
	})
	check(t, err)
	lines := func() (int, int) {
		mu.Lock()
		defer mu.Unlock()
		return passed, counted
	}
	defer func() {
		p.Kill("test")
		within(t, "release", p.Released())
		if n, c := lines(); n > 20_000 || c == 0 {
			t.Errorf("%d lines passed, %d of them counts of those left out", n, c)
		}
	}()
	poll.Until(t, "the flood is above the rate", func() bool {
		p.out.mu.Lock()
		defer p.out.mu.Unlock()
		return p.out.dropped > 0
	})
	open(t, p).do("cwd", "")
	if tail := p.Tail(); len(tail) != tailLines {
		t.Errorf("%d lines in the tail", len(tail))
	}
}

// TestPrinting: go-plugin lets a module that prints block after 65 lines (X10).
func TestPrinting(t *testing.T) {
	p := start(t, newEnv(t), "monitor")
	open(t, p).do("print", "3000")
	poll.Until(t, "the last line arrives", func() bool {
		for _, l := range p.Tail() {
			if strings.HasPrefix(l.Text, "2999 ") {
				return true
			}
		}
		return false
	})
}

func TestErrorsOfProcess(t *testing.T) {
	p := start(t, newEnv(t), "monitor")
	_, err := open(t, p).try("exit", "")
	wantKind(t, err, spoolerr.Exited)
	if !errors.Is(p.Err(), spoolerr.Exited) || !strings.Contains(p.Err().Error(), "exit status 4") {
		t.Errorf("Err is %v", p.Err())
	}
}

// TestObserved: each call is told once, with what its caller was told.
func TestObserved(t *testing.T) {
	env := newEnv(t)
	type seen struct {
		module, method, failure string
	}
	var mu sync.Mutex
	calls := map[seen]int{}
	env.Observed = func(module, method string, took time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		s := seen{module: module, method: method}
		if err != nil {
			s.failure = spoolerr.KindOf(err).String()
		}
		calls[s]++
		if took < 0 {
			t.Errorf("%s took %v", method, took)
		}
	}
	p := start(t, env, "monitor")
	c := open(t, p)
	for range 3 {
		c.do("cwd", "")
	}
	_, err := c.try("exit", "")
	wantKind(t, err, spoolerr.Exited)
	mu.Lock()
	defer mu.Unlock()
	for want, n := range map[seen]int{
		{"test", "InitializePrintMonitor2", ""}: 1, {"test", "XcvOpenPort", ""}: 1,
		{"test", "XcvDataPort", ""}: 3, {"test", "XcvDataPort", spoolerr.Exited.String()}: 1,
	} {
		if calls[want] != n {
			t.Errorf("%d calls %v, want %d; all: %v", calls[want], want, n, calls)
		}
	}
}
