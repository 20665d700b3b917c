//go:build linux

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
)

// TestBackoff: failures of a module that ran for so long in between give these delays.
func TestBackoff(t *testing.T) {
	b := Backoff{Base: 100 * time.Millisecond, Max: 2 * time.Second, HalfLife: time.Minute}
	var got []string
	for _, ran := range []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, time.Minute, time.Minute, time.Hour, 0, -time.Minute} {
		got = append(got, fmt.Sprintf("%v: %v", ran, b.Failed(ran, 0.5)))
	}
	b.Reset()
	got = append(got, fmt.Sprintf("reset: %v", b.Failed(0, 0.5)))
	want := []string{
		"0s: 0s", "0s: 100ms", "0s: 200ms", "0s: 400ms", "0s: 800ms", "0s: 1.6s", "0s: 2s", "0s: 2s",
		"1m0s: 800ms", "1m0s: 400ms", "1h0m0s: 0s", "0s: 100ms", "-1m0s: 200ms", "reset: 0s",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBackoffJitter(t *testing.T) {
	for random, want := range map[float64]time.Duration{0: 900 * time.Millisecond, 0.5: time.Second, 1: 1100 * time.Millisecond} {
		b := Backoff{Base: time.Second, Max: time.Second, HalfLife: time.Hour, Jitter: 0.2}
		if d := b.Failed(0, random); d != 0 {
			t.Errorf("the first delay is %v", d)
		}
		if d := b.Failed(0, random); d != want {
			t.Errorf("at %v the delay is %v, want %v", random, d, want)
		}
	}
}

// stage is a Supervisor with processes that are not real, and the record of what it did.
type stage struct {
	t      *testing.T
	super  *Supervisor[*Process]
	events chan string
	starts chan *Process // what the next Start gives; nil makes it fail
	cancel context.CancelFunc
	ended  chan struct{}
}

// fakeProcess ends when its run.exited is closed, and has nothing to release.
func fakeProcess() *Process {
	p := &Process{done: make(chan struct{}), run: &moduleRunner{exited: make(chan struct{}), box: &box{}}}
	p.out = newOutput(time.Now, nil)
	return p
}

func (p *Process) endFake() {
	close(p.run.exited)
	close(p.done)
}

func newStage(t *testing.T, b Backoff) *stage {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &stage{t: t, events: make(chan string, 100), starts: make(chan *Process), cancel: cancel, ended: make(chan struct{})}
	s.super = New(Config[*Process]{
		Start: func(ctx context.Context) (*Process, error) {
			s.events <- "start"
			select {
			case p := <-s.starts:
				if p == nil {
					return nil, errors.New("no luck")
				}
				return p, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		Stop: func(p *Process, reason string) {
			s.events <- "stop: " + reason
			p.endFake()
		},
		Ended:   func(*Process) { s.events <- "ended" },
		Waiting: func(err error, d time.Duration) { s.events <- fmt.Sprintf("wait %v", d) },
		Backoff: b, Now: func() time.Time { return time.Unix(0, 0) },
	})
	go func() {
		defer close(s.ended)
		s.super.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		within(t, "the end of Run", s.ended)
	})
	return s
}

func (s *stage) expect(want ...string) {
	s.t.Helper()
	for _, w := range want {
		limit := time.NewTimer(poll.Patience)
		select {
		case got := <-s.events:
			if got != w {
				s.t.Fatalf("%q, want %q", got, w)
			}
		case <-limit.C:
			s.t.Fatalf("nothing, want %q", w)
		}
		limit.Stop()
	}
}

func TestSupervisorRestarts(t *testing.T) {
	s := newStage(t, Backoff{Base: time.Millisecond, Max: 4 * time.Millisecond, HalfLife: time.Hour})
	s.expect("start")
	for i, after := range []string{"", "wait 1ms", "wait 2ms", "wait 4ms", "wait 4ms"} {
		p := fakeProcess()
		s.starts <- p
		p.endFake()
		s.expect("ended")
		if i > 0 { // the first restart is at once
			s.expect(after)
		}
		s.expect("start")
	}
}

func TestSupervisorStartFails(t *testing.T) {
	s := newStage(t, Backoff{Base: time.Millisecond, Max: 4 * time.Millisecond, HalfLife: time.Hour})
	s.expect("start")
	for _, wait := range []string{"wait 1ms", "wait 1ms", "wait 2ms", "wait 4ms"} {
		s.starts <- nil
		s.expect(wait, "start")
	}
}

// TestSupervisorRestartCommand: an operator's restart ends a running process in order, and
// cuts a wait short.
func TestSupervisorRestartCommand(t *testing.T) {
	s := newStage(t, Backoff{Base: time.Hour, Max: time.Hour, HalfLife: time.Hour})
	s.expect("start")
	s.starts <- nil
	s.expect("wait 1h0m0s")
	s.super.Restart()
	s.expect("start")
	s.starts <- fakeProcess()
	s.super.Restart()
	s.super.Restart()
	s.expect("stop: an operator asked for a restart", "start")
}

func TestSupervisorStops(t *testing.T) {
	for name, at := range map[string]func(*stage){
		"running":  func(s *stage) { s.starts <- fakeProcess(); s.cancel(); s.expect("stop: the spooler is stopping") },
		"waiting":  func(s *stage) { s.starts <- nil; s.expect("wait 1h0m0s"); s.cancel() },
		"starting": func(s *stage) { s.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, Backoff{Base: time.Hour, Max: time.Hour, HalfLife: time.Hour})
			s.expect("start")
			at(s)
			within(t, "the end of Run", s.ended)
			if len(s.events) > 0 {
				t.Errorf("and then %q", <-s.events)
			}
		})
	}
}

// TestSupervisorOfRealProcess: Run returns when nothing of its processes is left.
func TestSupervisorOfRealProcess(t *testing.T) {
	env := newEnv(t)
	var mu sync.Mutex
	var all []*Process
	running := make(chan *Process, 10)
	ctx, cancel := context.WithCancel(context.Background())
	super := New(Config[*Process]{
		Start: func(ctx context.Context) (*Process, error) {
			p, err := env.Start(ctx, specFor("monitor"), noServices, nil)
			if err == nil {
				mu.Lock()
				all = append(all, p)
				mu.Unlock()
				running <- p
			}
			return p, err
		},
		Stop:    func(p *Process, reason string) { p.Stop(context.Background(), reason) },
		Ended:   func(*Process) {},
		Waiting: func(err error, _ time.Duration) {},
		Backoff: DefaultBackoff(), Now: time.Now,
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		super.Run(ctx)
	}()
	defer within(t, "the end of Run", done)
	defer cancel()
	first := <-running
	began := time.Now()
	killGroup(first.PID)
	second := <-running
	t.Logf("killed, and another ready after %v", time.Since(began))
	if first.Incarnation == second.Incarnation || first.PID == second.PID {
		t.Error("the new incarnation is the old one")
	}
	cancel()
	<-done
	mu.Lock()
	defer mu.Unlock()
	for _, p := range all {
		select {
		case <-p.Released():
		default:
			t.Errorf("process %d is not released", p.PID)
		}
	}
}
