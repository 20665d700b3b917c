// Package keeper ends the modules of cluster spoolers when the host does not live to do it:
// a second process, beside the host, that knows until when the node's lease is good. A host
// that is stopped (SIGSTOP, a debugger, a machine that swaps) past its lease cannot fence
// itself before it wakes, but its modules are processes of their own and would print on.
//
// The composition root runs a Keeper; cmd is the other process, by Keep. It knows nothing of
// leases but a time on a clock that both processes read.
package keeper

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Keeper is the host's end. New starts nothing.
type Keeper struct {
	command []string
	log     hclog.Logger

	mu      sync.Mutex
	until   time.Duration
	in      *os.File // of the process that runs; nil if none does
	process *os.Process
}

// New makes a keeper whose process is started by command: a program that calls Keep.
func New(command []string, log hclog.Logger) *Keeper { return &Keeper{command: command, log: log} }

// Until tells the process to end the modules at a time on its clock, unless it is told a
// later one before. 0: not at all, for now.
func (k *Keeper) Until(at time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = at
	k.tell()
}

// tell writes the time; k.mu is held. A process that reads nothing is ended, and another
// one started.
func (k *Keeper) tell() {
	if k.in == nil {
		return
	}
	_ = k.in.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := fmt.Fprintln(k.in, k.until.Nanoseconds()); err != nil {
		k.log.Warn("the process that ends modules when this host is stopped does not listen and is ended", "pid", k.process.Pid)
		_ = k.process.Kill()
	}
}

// again is the time between two starts of a process that does not stay.
const again = time.Second

// Run keeps the process alive until ctx ends. At its end the process ends what modules of
// cluster spoolers are left.
func (k *Keeper) Run(ctx context.Context) error {
	for {
		began := time.Now()
		err := k.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		k.log.Error("the process that ends modules when this host is stopped has ended; it is started again", "error", err)
		select {
		case <-time.After(again - time.Since(began)):
		case <-ctx.Done():
			return nil
		}
	}
}

// once runs one process until it or ctx ends.
func (k *Keeper) once(ctx context.Context) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	cmd := exec.Command(k.command[0], k.command[1:]...)
	cmd.Stdin, cmd.Env, cmd.SysProcAttr = r, []string{}, apart()
	err = cmd.Start()
	_ = r.Close()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	k.mu.Lock()
	k.in, k.process = w, cmd.Process
	k.tell()
	k.mu.Unlock()
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	k.mu.Lock()
	k.in = nil
	k.mu.Unlock()
	_ = w.Close()
	if ctx.Err() != nil {
		select {
		case <-ended:
		case <-time.After(patience): // it is stopped, or a module does not end
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	return err
}

// patience is how long the process may work on after the host has let go of it.
const patience = 15 * time.Second

// Keep is the other process. It reads times from in, and ends the modules of cluster
// spoolers that records name when the last of them has come, or when in is at its end.
func Keep(ctx context.Context, records *supervisor.Orphans, in io.Reader, clock func() time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	times, failed := read(ctx, in)
	timer := time.NewTimer(never)
	defer timer.Stop()
	var until time.Duration
	for {
		wait := never
		if until > 0 {
			wait = until - clock()
		}
		timer.Reset(wait)
		select {
		case until = <-times:
		case err := <-failed:
			_, endErr := records.EndFenced(ctx)
			return errors.Join(err, endErr)
		case <-timer.C:
			if until == 0 || clock() < until {
				continue
			}
			until = 0
			if _, err := records.EndFenced(ctx); err != nil {
				until = clock() + again // until they are gone
			}
		}
	}
}

const never = 24 * time.Hour

// read gives the times that come, and last why no more do. Its goroutine ends with in, or
// with ctx when the next line comes: the process is at its end then.
func read(ctx context.Context, in io.Reader) (<-chan time.Duration, <-chan error) {
	times, failed := make(chan time.Duration), make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			n, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil || n < 0 {
				failed <- spoolerr.New(spoolerr.Invalid, 0, "the time %s is none; this process is started by spoolhost serve", spool.Quote(lines.Text()))
				return
			}
			select {
			case times <- time.Duration(n):
			case <-ctx.Done():
				return
			}
		}
		failed <- lines.Err()
	}()
	return times, failed
}
