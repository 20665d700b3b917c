package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// GuardArg is the argument that makes the host's own binary a guard; see ServeGuard.
const GuardArg = "cluster-guard"

// Guard is a small process beside the host that ends the modules of cluster spoolers when
// the host cannot: a host that is stopped (SIGSTOP, a debugger, a long pause) looks at no
// clock, and what its modules have been given they would go on sending while another node
// prints the same. It knows a deadline, by a clock that counts sleep, and process groups;
// when the deadline passes it kills them. It ends with the host.
type Guard struct {
	command []string
	warn    func(text string, err error)

	mu     sync.Mutex
	groups []int
	until  time.Duration
	in     *os.File
	cmd    *exec.Cmd
	closed bool
}

// NewGuard makes a guard of a command; it is started when it is needed first. No command,
// no guard.
func NewGuard(command []string, warn func(text string, err error)) *Guard {
	if len(command) == 0 {
		return nil
	}
	return &Guard{command: command, warn: warn}
}

// Until tells when the groups are to be killed, if it is not told again before.
func (g *Guard) Until(at time.Duration) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until = at
	if len(g.groups) > 0 {
		g.tell(fmt.Sprintf("until %d\n", at))
	}
}

// Add puts a process group under guard, before it can send anything.
func (g *Guard) Add(pid int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.groups = append(g.groups, pid)
	g.tell(fmt.Sprintf("until %d\nadd %d\n", g.until, pid))
}

// Remove forgets a group that has ended, whose number may come again.
func (g *Guard) Remove(pid int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.groups, pid); i >= 0 {
		g.groups = slices.Delete(g.groups, i, i+1)
		g.tell(fmt.Sprintf("gone %d\n", pid))
	}
}

// Close ends the guard. It may be called again.
func (g *Guard) Close() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.end()
}

// tell writes to the guard; one that has died is started anew, and told all; g.mu is held.
func (g *Guard) tell(text string) {
	if g.closed {
		return
	}
	if g.in != nil {
		err := g.write(text)
		if err == nil {
			return
		}
		g.warn("the guard of this node's cluster spoolers has died, or was stopped, and is started again", err)
		_ = g.cmd.Process.Kill()
		g.end()
	}
	if err := g.start(); err != nil {
		g.warn("the guard of this node's cluster spoolers cannot be started: a host that is stopped cannot fence itself", err)
	}
}

// write waits for a guard that does not read, but not so long that a renewal comes late.
func (g *Guard) write(text string) error {
	_ = g.in.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, err := g.in.WriteString(text)
	return err
}

func (g *Guard) start() error {
	cmd := exec.Command(g.command[0], g.command[1:]...) //nolint:gosec // the host's own binary
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = apartFromHost()
	r, w, err := os.Pipe()
	if err == nil {
		cmd.Stdin = r
		err = cmd.Start()
		_ = r.Close()
	}
	if err != nil {
		_ = w.Close()
		return spoolerr.As(err, spoolerr.Unavailable, "%s", strings.Join(g.command, " "))
	}
	g.cmd, g.in = cmd, w
	all := fmt.Sprintf("until %d\n", g.until)
	for _, pid := range g.groups {
		all += fmt.Sprintf("add %d\n", pid)
	}
	return g.write(all)
}

func (g *Guard) end() {
	if g.in != nil {
		_ = g.in.Close()
		_ = g.cmd.Wait()
		g.in, g.cmd = nil, nil
	}
}

// ServeGuard is the guard's own process: it reads what Guard tells until in ends.
func ServeGuard(in io.Reader) error {
	ignoreStops()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			lines <- s.Text()
		}
	}()
	guarded := make(map[int]bool)
	var until time.Duration
	for {
		// Short, because a timer does not count the sleep of the machine.
		const most = 100 * time.Millisecond
		t := time.NewTimer(min(max(until-monotonic(), time.Millisecond), most))
		select {
		case line, more := <-lines:
			t.Stop()
			if !more {
				return nil
			}
			if err := note(line, guarded, &until); err != nil {
				return err
			}
		case <-t.C:
		}
		if monotonic() >= until && until > 0 {
			for pid := range guarded {
				killGroup(pid)
			}
			clear(guarded)
		}
	}
}

// note takes one line.
func note(line string, guarded map[int]bool, until *time.Duration) error {
	var n int64
	word, rest, _ := strings.Cut(line, " ")
	if _, err := fmt.Sscan(rest, &n); err != nil || n < 0 {
		return errors.New("the guard was told something that it does not understand")
	}
	switch pid := int(n); {
	case word == "until":
		*until = time.Duration(n)
	case word == "add" && pid > 1:
		guarded[pid] = true
	case word == "gone":
		delete(guarded, pid)
	}
	return nil
}
