//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// testCgroups gives the cgroups of this machine, or none where there are none: what must
// hold, holds either way, by other means.
func testCgroups(t *testing.T) *Cgroups {
	t.Helper()
	c := OpenCgroups("", fmt.Sprintf("spoolhost-test-%d-%d", os.Getpid(), incarnations.Add(1)))
	t.Cleanup(func() {
		c.Close()
		if _, err := os.Stat(c.dir); c.dir != "" && !os.IsNotExist(err) {
			t.Errorf("cgroup %s is left: %v", c.dir, err)
		}
	})
	t.Logf("cgroups in %q, controllers %v %s", c.dir, c.controllers, c.why)
	return c
}

func startLimited(t *testing.T, env *Env, limits Limits) (*Process, error) {
	t.Helper()
	spec := specFor("monitor")
	spec.Limits = limits
	p, err := env.Start(context.Background(), spec, noServices, nil)
	if err == nil {
		t.Cleanup(func() {
			p.Kill("the test is over")
			within(t, "release", p.Released())
		})
	}
	return p, err
}

func demandNote(t *testing.T, p *Process, part string) {
	t.Helper()
	if all := strings.Join(p.Confinement(), "\n"); !strings.Contains(all, part) {
		t.Errorf("the confinement does not say %q:\n%s", part, all)
	}
}

// TestLeastPrivilege: what holds for every module without anybody asking, and for the
// host itself does not.
func TestLeastPrivilege(t *testing.T) {
	p := start(t, newEnv(t), "monitor")
	c := open(t, p)
	if status := c.do("read", "/proc/self/status"); !strings.Contains(status, "NoNewPrivs:\t1") {
		t.Error("the module can gain privileges")
	}
	runtime.LockOSThread() // any thread but the launcher's
	defer runtime.UnlockOSThread()
	if own, err := os.ReadFile("/proc/thread-self/status"); err != nil || !strings.Contains(string(own), "NoNewPrivs:\t0") {
		t.Errorf("the host has changed itself: %v", err)
	}
	if score := c.do("read", "/proc/self/oom_score_adj"); strings.TrimSpace(score) != "500" {
		t.Errorf("oom_score_adj %s", score)
	}
	if got := limitLine(t, c, "Max core file size"); got != "0 0" {
		t.Errorf("core %s", got)
	}
	demandNote(t, p, "no new privileges")
	demandNote(t, p, "memory: no limit")
}

func limitLine(t *testing.T, c channel, name string) string {
	t.Helper()
	for line := range strings.Lines(c.do("read", "/proc/self/limits")) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			f := strings.Fields(rest)
			return f[0] + " " + f[1]
		}
	}
	t.Fatalf("no line %q", name)
	return ""
}

func TestFileLimit(t *testing.T) {
	p, err := startLimited(t, newEnv(t), Limits{Files: 77})
	check(t, err)
	if got := limitLine(t, open(t, p), "Max open files"); got != "77 77" {
		t.Errorf("open files %s", got)
	}
	demandNote(t, p, "open files: 77")
}

// TestOtherUser: a module runs as a user of the operator's choice, and can do there what a
// module must.
func TestOtherUser(t *testing.T) {
	env := newEnv(t)
	if os.Geteuid() != 0 { // then the answer is a clear refusal
		_, err := startLimited(t, env, Limits{User: "root"})
		wantKind(t, err, spoolerr.Denied)
		return
	}
	env.UserDir = filepath.Join(shortDir(t), "u")
	check(t, os.Chmod(filepath.Dir(env.UserDir), 0o711))
	nobody, err := user.Lookup("nobody")
	check(t, err)
	secret := filepath.Join(t.TempDir(), "secret")
	check(t, os.WriteFile(secret, []byte("x"), 0o600))
	for _, name := range []string{nobody.Username, nobody.Uid} {
		p, err := startLimited(t, env, Limits{User: name, Processes: 500})
		check(t, err)
		c := open(t, p)
		if got, want := c.do("identity", ""), fmt.Sprintf("%s %s []", nobody.Uid, nobody.Gid); got != want {
			t.Errorf("it runs as %s, want %s", got, want)
		}
		c.do("write", "to the private temporary directory")
		c.do("dial", "")
		if _, err := c.try("read", secret); err == nil {
			t.Error("it reads what only root may")
		}
		info, err := os.Stat(p.dir)
		check(t, err)
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || info.Mode().Perm() != 0o700 || fmt.Sprint(st.Uid) != nobody.Uid {
			t.Errorf("its private directory is %v of %+v", info.Mode(), info.Sys())
		}
		demandNote(t, p, "user: nobody (uid "+nobody.Uid)
		demandNote(t, p, "processes and threads: 500")
		limited := limitLine(t, c, "Max processes") == "500 500"
		if refused := strings.Contains(strings.Join(p.Confinement(), "\n"), "NOT IN FORCE"); limited == refused {
			t.Errorf("the limit is in force: %v, and it is said that it is not: %v", limited, refused)
		}
		p.Stop(deadline(t, poll.Patience), "test")
		within(t, "release", p.Released())
		if left, err := os.ReadDir(env.UserDir); err != nil || len(left) > 0 {
			t.Errorf("left in the user directory: %v %v", left, err)
		}
	}
}

func TestUserThatCannot(t *testing.T) {
	if os.Geteuid() != 0 {
		return // TestOtherUser has seen the refusal
	}
	env := newEnv(t)
	env.UserDir = filepath.Join(shortDir(t), "u")
	check(t, os.Chmod(filepath.Dir(env.UserDir), 0o711))
	_, err := startLimited(t, env, Limits{User: "no-such-user"})
	wantKind(t, err, spoolerr.NotFound)
	path := filepath.Join(t.TempDir(), "module")
	check(t, os.WriteFile(path, []byte("#!/bin/sh\necho no module\n"), 0o600))
	check(t, os.Chmod(path, 0o700)) //nolint:gosec // executable for its owner only
	digest, err := env.Images.Digest(path)
	check(t, err)
	spec := Spec{Name: "test", Path: path, Digest: digest, Incarnation: incarnations.Add(1), Limits: Limits{User: "nobody"}}
	_, err = env.Start(context.Background(), spec, noServices, nil)
	wantKind(t, err, spoolerr.Denied)
	if !strings.Contains(err.Error(), "cannot be executed by user nobody") || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("error %q", err)
	}
	env.UserDir = ""
	_, err = startLimited(t, env, Limits{User: "nobody"})
	wantKind(t, err, spoolerr.Precondition)
}

// TestNothingOutlives: also a grandchild that has left the group and the session ends with
// its module, however that ends, with a cgroup and without.
func TestNothingOutlives(t *testing.T) {
	for name, cgroups := range map[string]*Cgroups{"cgroup": testCgroups(t), "none": nil} {
		for how, end := range map[string]func(*Process){
			"crash": func(p *Process) { _ = syscall.Kill(p.PID, syscall.SIGKILL) },
			"kill":  func(p *Process) { p.Kill("test") },
			"stop":  func(p *Process) { p.Stop(context.Background(), "test") },
			"end":   func(p *Process) { p.End("test") },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				env := newEnv(t)
				env.Cgroups = cgroups
				p := start(t, env, "monitor")
				grandchild := atoi(t, open(t, p).do("leave", ""))
				end(p)
				within(t, "seeing the end", p.Done())
				if alive(grandchild) {
					t.Error("the grandchild outlives it")
				}
				within(t, "release", p.Released())
			})
		}
	}
}

// TestNextHostEndsStrays: a module and what left its group, after a host that was killed
// with the module stopped.
func TestNextHostEndsStrays(t *testing.T) {
	o := newOrphans(t)
	mark := fmt.Sprintf("SPOOLHOST_TEST_MARK=%d", incarnations.Add(1))
	cmd := exec.Command("/bin/sh", "-c", "setsid sleep 3600 & wait")
	cmd.Env = []string{mark, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, cmd.Start())
	check(t, o.Record(cmd.Process.Pid, "left", 3, mark))
	poll.Until(t, "both run", func() bool { return len(strays(mark)) == 2 })
	check(t, cmd.Process.Kill())
	_ = cmd.Wait()
	found, err := o.End(deadline(t, poll.Patience))
	if err != nil || len(found) != 1 || len(strays(mark)) != 0 {
		t.Errorf("found %v, %v; left %v", found, err, strays(mark))
	}
}

// TestMemoryLimit: a module that leaks dies of it, alone, and everybody is told why.
func TestMemoryLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leaker")
	build := exec.Command("go", "build", "-o", path, "./testdata/leaker")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	env := newEnv(t)
	env.Cgroups = testCgroups(t)
	digest, err := env.Images.Digest(path)
	check(t, err)
	spec := Spec{Name: "test", Path: path, Digest: digest, Incarnation: incarnations.Add(1), Limits: Limits{MemoryBytes: 200 << 20}}
	p, err := env.Start(context.Background(), spec, noServices, nil)
	check(t, err)
	demandNote(t, p, "memory: 200 MiB")
	m, err := monitorwire.Initialize(deadline(t, poll.Patience), p.Conn(), monitorwire.Init{Token: "t", Root: 1, Handles: &monitorwire.Handles{}})
	check(t, err)
	_, err = m.EnumPorts(deadline(t, poll.Patience))
	wantKind(t, err, spoolerr.Exited)
	if !strings.Contains(err.Error(), "it had come to its memory limit of 200 MiB") {
		t.Errorf("error %q", err)
	}
	within(t, "release", p.Released())
}

// TestCgroupLimits writes into a directory that is no cgroup: the controllers are not to
// be had everywhere.
func TestCgroupLimits(t *testing.T) {
	env := &Env{Cgroups: &Cgroups{dir: t.TempDir(), controllers: []string{"memory", "pids"}}}
	b, err := env.newBox(Spec{Name: "test", Incarnation: 5, Limits: Limits{MemoryBytes: 512 << 20, Processes: 64}})
	check(t, err)
	for file, want := range map[string]string{"memory.max": "536870912", "memory.swap.max": "0", "pids.max": "64"} {
		if got, err := os.ReadFile(filepath.Join(b.group.dir, file)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", file, got, err)
		}
	}
	if !slices.Contains(b.notes, "memory: 512 MiB with all that it starts (memory.max)") || len(b.rlimits) > 0 {
		t.Errorf("notes %q, rlimits %v", b.notes, b.rlimits)
	}
	check(t, b.group.set("memory.events", "low 0\nmax 12\noom 2\noom_kill 1\n"))
	if b.group.killsForMemory() != 1 {
		t.Error("a kill for memory is not seen")
	}
	check(t, os.RemoveAll(b.group.dir))
	b.end()
}

// TestCgroupOfProcess needs a machine with cgroups; elsewhere the confinement says so.
func TestCgroupOfProcess(t *testing.T) {
	env := newEnv(t)
	env.Cgroups = testCgroups(t)
	p := start(t, env, "monitor")
	if env.Cgroups.dir == "" {
		demandNote(t, p, "cgroup: none (")
		return
	}
	if procs := words(filepath.Join(p.run.box.group.dir, "cgroup.procs")); !slices.Contains(procs, fmt.Sprint(p.PID)) {
		t.Errorf("its group holds %v, not %d", procs, p.PID)
	}
	p.Kill("test")
	within(t, "release", p.Released())
	if left := words(env.Cgroups.dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// TestCgroupSweep: the next host ends what is in the groups of the last one.
func TestCgroupSweep(t *testing.T) {
	c := testCgroups(t)
	check(t, c.Sweep(deadline(t, poll.Patience)))
	if c.dir == "" {
		return
	}
	g, err := c.open(1)
	check(t, err)
	cmd := exec.Command("/bin/sleep", "3600")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(g.file.Fd()), Setsid: true}
	check(t, cmd.Start())
	reaped := make(chan struct{})
	go func() {
		defer close(reaped)
		_ = cmd.Wait()
	}()
	check(t, c.Sweep(deadline(t, poll.Patience)))
	within(t, "its end", reaped)
	_ = g.file.Close()
}

func TestCgroupMount(t *testing.T) {
	for name, c := range map[string]struct{ mountinfo, mount, root string }{
		"unified": {"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup", "/"},
		"hybrid": {"31 23 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
			"30 23 0:26 /a/b /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/unified", "/a/b"},
		"none":    {"31 23 0:27 / / rw - ext4 /dev/vda rw\n", "", ""},
		"cut off": {"30 23 - cgroup2 cgroup2 rw\nx", "", ""},
	} {
		if mount, root := cgroupMount(c.mountinfo); mount != c.mount || root != c.root {
			t.Errorf("%s: %q %q", name, mount, root)
		}
	}
}

func TestUsage(t *testing.T) {
	p := start(t, newEnv(t), "monitor")
	u, ok := p.Usage()
	if !ok || u.MemoryBytes < 1<<20 || u.Files < 3 || u.CPU < 0 {
		t.Errorf("usage %+v, %v", u, ok)
	}
	p.Kill("test")
	within(t, "release", p.Released())
	if u, ok := p.Usage(); ok {
		t.Errorf("after the end: %+v", u)
	}
}

func TestParseUsage(t *testing.T) {
	fields := strings.Repeat("0 ", 10) + "250 50 " + strings.Repeat("0 ", 8) + "7 0 0"
	for name, c := range map[string]struct {
		stat string
		want Usage
	}{
		"usual":    {"42 (a) b) S " + fields, Usage{CPU: 3 * time.Second, MemoryBytes: 7 * 4096}},
		"empty":    {"", Usage{}},
		"short":    {"42 (a) S 1 2", Usage{}},
		"rubbish":  {"42 (a) S " + strings.Repeat("x ", 30), Usage{}},
		"negative": {"42 (a) S " + strings.Repeat("-1 ", 30), Usage{}},
	} {
		if got := parseUsage(c.stat, 4096); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
