//go:build linux

package keeper

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/spoolhost/spoolhost/host/supervisor"
)

// TestMain is also the other process: this program with the directory of the records.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "keep" {
		records, err := supervisor.NewOrphans(os.Args[2])
		if err == nil {
			err = Keep(context.Background(), records, os.Stdin, uptime)
		}
		if err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func uptime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Duration(t.Nano())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("never: %s", what)
		}
	}
}

// house is a directory of records with two processes in it.
type house struct {
	*testing.T
	dir             string
	records         *supervisor.Orphans
	fenced, unbound <-chan struct{} // closed when it has ended
}

func newHouse(t *testing.T) *house {
	h := &house{T: t, dir: t.TempDir()}
	var err error
	h.records, err = supervisor.NewOrphans(h.dir)
	check(t, err)
	h.fenced, h.unbound = h.module(1), h.module(2)
	check(t, h.records.Fence(1))
	return h
}

// module is a recorded process with a child that does not listen.
func (h *house) module(incarnation uint64) <-chan struct{} {
	cmd := exec.Command("/bin/sh", "-c", "sleep 3600 & wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(h.T, cmd.Start())
	check(h.T, h.records.Record(cmd.Process.Pid, "module "+strconv.FormatUint(incarnation, 10), incarnation, ""))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	h.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	return ended
}

func isOver(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// run runs a Keeper whose process is this program; stop waits for it.
func (h *house) run() (k *Keeper, stop func()) {
	self, err := os.Executable()
	check(h.T, err)
	k = New([]string{self, "keep", h.dir}, hclog.NewNullLogger())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	stop = func() {
		cancel()
		if err, ok := <-ended; ok && err != nil {
			h.Error(err)
		}
		close(ended)
	}
	return k, stop
}

// A host that says nothing any more, as a stopped one does, loses its fenced modules only.
func TestTimeComes(t *testing.T) {
	h := newHouse(t)
	k, stop := h.run()
	defer stop()
	k.Until(uptime() + 50*time.Millisecond)
	<-h.fenced
	if isOver(h.unbound) {
		t.Error("a module of the node spooler was ended")
	}
}

// What is left when the host goes, ends with it.
func TestHostGoes(t *testing.T) {
	h := newHouse(t)
	k, stop := h.run()
	k.Until(uptime() + time.Hour)
	until(t, "the process runs", func() bool { return k.runs() != 0 })
	stop()
	<-h.fenced
	if isOver(h.unbound) {
		t.Error("a module of the node spooler was ended")
	}
}

func (k *Keeper) runs() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.in == nil {
		return 0
	}
	return k.process.Pid
}

// The process is not to be got rid of: another one is told the same time.
func TestProcessKilled(t *testing.T) {
	h := newHouse(t)
	k, stop := h.run()
	defer stop()
	until(t, "the process runs", func() bool { return k.runs() != 0 })
	first := k.runs()
	check(t, syscall.Kill(first, syscall.SIGKILL))
	k.Until(uptime() + 50*time.Millisecond)
	<-h.fenced
}

// Each time replaces the one before, and 0 is none.
func TestLaterTimes(t *testing.T) {
	h := newHouse(t)
	var now atomic.Int64
	now.Store(1)
	r, w := io.Pipe()
	kept := make(chan error, 1)
	go func() {
		kept <- Keep(t.Context(), h.records, r, func() time.Duration { return time.Duration(now.Load()) })
	}()
	say := func(times string) {
		_, err := io.WriteString(w, times)
		check(t, err)
	}
	say("100\n200\n")
	now.Store(150)
	say("0\n")
	say("0\n") // it is read when the one before has been taken
	now.Store(300)
	say("1000\n0\n400\n")
	if isOver(h.fenced) {
		t.Fatal("it was ended before its time")
	}
	now.Store(400)
	say("400\n")
	<-h.fenced
	check(t, w.Close())
	check(t, <-kept)
}

func TestRubbish(t *testing.T) {
	for _, text := range []string{"soon\n", "-1\n", "\n", strings.Repeat("9", 100_000)} {
		h := newHouse(t)
		if err := Keep(t.Context(), h.records, strings.NewReader(text), uptime); err == nil {
			t.Errorf("%.20q is a time", text)
		}
		<-h.fenced
	}
}
