package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// platform is what Linux offers to a box.
type platform struct {
	group       *cgroup // nil if there is none, for the reason why
	why         string
	rlimits     []rlimit
	memoryKills int // counted at the end
}

// oomScore makes the kernel choose a module rather than the host when memory is short.
const oomScore = 500

// privileges bounds what the launcher's thread, and so every module, can ever become.
// It is of the thread: the host itself stays as it is.
func privileges() error {
	giveWay()
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// giveWay makes what the calling thread starts wait where the host wants the processor: what
// has been accepted is safe, and prints a moment later. Where that is forbidden they are equals.
func giveWay() {
	const lower, lowest = 5, 19
	if have, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil { // 20 less the nice value, on Linux
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, min(20-have+lower, lowest))
	}
}

// open makes the process's cgroup and bounds it.
func (b *box) open(e *Env, incarnation uint64) {
	b.note("no new privileges, no core dumps, ended before the host when memory is short (oom_score_adj %d)", oomScore)
	switch {
	case e.Cgroups == nil:
		b.why = "the host was given none"
	case e.Cgroups.dir == "":
		b.why = e.Cgroups.why
	default:
		group, err := e.Cgroups.open(incarnation)
		if err != nil {
			b.why = err.Error()
		}
		b.group = group
	}
	if b.group == nil {
		b.note("cgroup: none (%s); what the module starts is found by its process group and environment", b.why)
	} else {
		b.note("cgroup: %s; everything that the module starts ends with it", b.group.dir)
	}
	b.boundMemory(e)
	b.boundProcesses(e)
	if b.limits.Files > 0 {
		b.note("open files: %d for each process (RLIMIT_NOFILE)", b.limits.Files)
	} else {
		b.note("open files: the host's limit")
	}
}

func (b *box) controls(e *Env, controller string) bool {
	return b.group != nil && slices.Contains(e.Cgroups.controllers, controller)
}

func (b *box) boundMemory(e *Env) {
	if b.limits.MemoryBytes == 0 {
		b.note("memory: no limit")
		return
	}
	size := formatSize(b.limits.MemoryBytes)
	if b.controls(e, "memory") && b.group.set("memory.max", strconv.FormatInt(b.limits.MemoryBytes, 10)) == nil {
		_ = b.group.set("memory.swap.max", "0")
		_ = b.group.set("memory.oom.group", "1")
		b.note("memory: %s with all that it starts (memory.max)", size)
		return
	}
	b.rlimit(unix.RLIMIT_DATA, b.limits.MemoryBytes)
	b.note("memory: %s for each process (RLIMIT_DATA), because there is no memory controller", size)
}

func (b *box) boundProcesses(e *Env) {
	n := b.limits.Processes
	switch {
	case n == 0:
		b.note("processes and threads: no limit")
	case b.controls(e, "pids") && b.group.set("pids.max", strconv.FormatInt(n, 10)) == nil:
		b.note("processes and threads: %d (pids.max)", n)
	case b.account == nil && os.Geteuid() == 0:
		b.note("processes and threads: no limit, though %d is set: there is no pids controller, and RLIMIT_NPROC does not bind root; choose a user", n)
	default:
		b.rlimit(unix.RLIMIT_NPROC, n)
		b.note("processes and threads: %d of all that its user has (RLIMIT_NPROC), because there is no pids controller", n)
	}
}

type rlimit struct {
	resource int
	value    uint64
}

func (p *platform) rlimit(resource int, value int64) {
	p.rlimits = append(p.rlimits, rlimit{resource, uint64(value)})
}

// attributes has the process begin its life in the box.
func (b *box) attributes(to *syscall.SysProcAttr) {
	if b.account != nil {
		to.Credential = &syscall.Credential{Uid: uint32(b.account.uid), Gid: uint32(b.account.gid)}
	}
	if b.group != nil {
		to.UseCgroupFD, to.CgroupFD = true, int(b.group.file.Fd())
	}
}

// restrict bounds a process that has just been started, before its handshake is taken.
// The error is what could not be set.
func (b *box) restrict(pid int) error {
	// It needs no right to raise the score; where /proc is read-only it stays.
	_ = os.WriteFile(filepath.Join("/proc", strconv.Itoa(pid), "oom_score_adj"), []byte(strconv.Itoa(oomScore)), 0)
	limits := append(b.rlimits, rlimit{unix.RLIMIT_CORE, 0})
	if b.limits.Files > 0 {
		limits = append(limits, rlimit{unix.RLIMIT_NOFILE, uint64(b.limits.Files)})
	}
	for _, l := range limits {
		err := unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: l.value, Max: l.value}, nil)
		switch {
		case errors.Is(err, unix.EPERM):
			return errors.New("resource limits (RLIMIT_...), of core dumps too: the host lacks the capability CAP_SYS_RESOURCE, without which it cannot bound another user's process")
		case err != nil && !errors.Is(err, unix.ESRCH): // it has ended already
			return fmt.Errorf("resource limits: %w", err)
		}
	}
	return nil
}

// end ends whatever the process has started, also what left its group, and gives the box
// back. The process itself has ended, or was never started.
func (b *box) end() {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if b.group != nil {
		b.memoryKills = b.group.killsForMemory()
		_ = b.group.end(ctx)
		return
	}
	endStrays(ctx, b.mark)
}

func (b *box) killedForMemory() bool { return b.memoryKills > 0 }

// endStrays kills the processes with a mark until there are none. One that is in the middle
// of execve or of its exit shows no environment: it is looked at again.
func endStrays(ctx context.Context, mark string) bool {
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		found, changing := marked(mark)
		if len(found) == 0 && !changing {
			return true
		}
		for _, pid := range found {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return false
		}
	}
}

// strays finds the living processes that have a variable in the environment they were
// started with.
func strays(mark string) []int {
	pids, _ := marked(mark)
	return pids
}

// marked gives those processes, and whether there are others of which nobody can tell yet.
func marked(mark string) (pids []int, changing bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil || mark == "" {
		return nil, false
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		switch {
		case err != nil:
		case hasVariable(environ, mark):
			pids = append(pids, pid)
		case len(environ) == 0 && isChanging(pid):
			changing = true
		}
	}
	return pids, changing
}

// isChanging says that a process has no environment, not even an empty one: execve has not
// laid it out yet, or the exit has given it up and other things not yet (proc_pid_stat(5)).
func isChanging(pid int) bool {
	const (
		state, flags, envStart = 0, 6, 47 // fields 3, 9 and 50, counted behind the name
		kernelThread           = 0x00200000
	)
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= envStart {
		return false
	}
	bits, err := strconv.ParseUint(fields[flags], 10, 64)
	return err == nil && bits&kernelThread == 0 && fields[envStart] == "0" && !strings.Contains("ZX", fields[state])
}

func hasVariable(environ []byte, mark string) bool {
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if string(v) == mark {
			return true
		}
	}
	return false
}

func (b *box) usage(pid int) (Usage, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Usage{}, false
	}
	u := parseUsage(string(stat), int64(os.Getpagesize()))
	if files, err := os.ReadDir(filepath.Join(dir, "fd")); err == nil {
		u.Files = len(files)
	}
	if b.group == nil {
		return u, true
	}
	fields := words(filepath.Join(b.group.dir, "cpu.stat"))
	if i := slices.Index(fields, "usage_usec"); i >= 0 && i+1 < len(fields) {
		if n, err := strconv.ParseInt(fields[i+1], 10, 64); err == nil {
			u.CPU = time.Duration(n) * time.Microsecond
		}
	}
	if current := words(filepath.Join(b.group.dir, "memory.current")); len(current) == 1 {
		if n, err := strconv.ParseInt(current[0], 10, 64); err == nil {
			u.MemoryBytes = n
		}
	}
	return u, true
}

// parseUsage takes utime, stime and rss of proc_pid_stat(5).
func parseUsage(stat string, page int64) (u Usage) {
	const utime, stime, rss = 14 - 3, 15 - 3, 24 - 3
	const tick = time.Second / 100 // USER_HZ, on every architecture that Go runs on
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= rss {
		return u
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		return max(n, 0)
	}
	u.CPU = time.Duration(number(utime)+number(stime)) * tick
	u.MemoryBytes = number(rss) * page
	return u
}

// peak is the most memory that an ended process had.
func peak(state *os.ProcessState) int64 {
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		return r.Maxrss << 10
	}
	return 0
}
