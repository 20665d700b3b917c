package supervisor

import (
	"bufio"
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

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Cgroups is a directory of the cgroup file system (version 2) in which each module gets a
// group of its own. Whatever a module starts stays in it, also what leaves its session, so
// that the end of the group is the end of all.
type Cgroups struct {
	dir string // this host's
	// controllers are those that bound the groups below dir.
	controllers []string
	why         string // nothing can be made below dir, or not everything; empty if all is well
}

// OpenCgroups makes the directory of a host, called name, below parent: an absolute path
// of the cgroup file system, or empty for the host's own group, or for the one above if its
// own is called host, as DelegateSubgroup=host in a systemd unit makes it: a group with
// processes of its own can bound none below it. It never fails: a host without cgroups
// works, and Confinement tells what is missing.
func OpenCgroups(parent, name string) *Cgroups {
	c := &Cgroups{}
	if parent == "" {
		own, err := ownCgroup()
		if err != nil {
			c.why = err.Error()
			return c
		}
		parent = own
		if filepath.Base(own) == "host" {
			parent = filepath.Dir(own)
		}
	}
	if _, err := os.Stat(filepath.Join(parent, "cgroup.procs")); err != nil {
		c.why = fmt.Sprintf("%s is no cgroup of version 2", parent)
		return c
	}
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		c.why = fmt.Sprintf("no group can be made in %s: %v", parent, pathless(err))
		return c
	}
	c.dir = dir
	for _, g := range []string{parent, dir} {
		delegate(g)
	}
	c.controllers = words(filepath.Join(dir, "cgroup.subtree_control"))
	return c
}

// delegate lets the groups below g be bounded. Where it is not allowed, or where g has
// processes of its own, it stays as it is.
func delegate(g string) {
	for _, controller := range []string{"memory", "pids"} {
		if slices.Contains(words(filepath.Join(g, "cgroup.controllers")), controller) {
			_ = os.WriteFile(filepath.Join(g, "cgroup.subtree_control"), []byte("+"+controller), 0)
		}
	}
}

func words(path string) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(data))
}

func pathless(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// ownCgroup finds the directory of the group that this process is in.
func ownCgroup() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mount, root := cgroupMount(string(mounts))
	if mount == "" {
		return "", errors.New("the system has no cgroups of version 2")
	}
	for line := range strings.Lines(string(groups)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			below, err := filepath.Rel(root, path)
			if err != nil || strings.HasPrefix(below, "..") {
				return "", errors.New("the host's own cgroup is not visible here")
			}
			return filepath.Join(mount, below), nil
		}
	}
	return "", errors.New("the host is in no cgroup of version 2")
}

// cgroupMount takes mount point and root of the first cgroup2 in a proc_pid_mountinfo(5).
func cgroupMount(mountinfo string) (mount, root string) {
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if ok && strings.HasPrefix(after, "cgroup2 ") && len(fields) >= 5 {
			return fields[4], fields[3]
		}
	}
	return "", ""
}

// cgroup is the group of one module process.
type cgroup struct {
	dir  string
	file *os.File // of the directory, to clone into
}

// open makes the group of a process.
func (c *Cgroups) open(incarnation uint64) (*cgroup, error) {
	dir := filepath.Join(c.dir, strconv.FormatUint(incarnation, 10))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("no group can be made in %s: %w", c.dir, pathless(err))
	}
	f, err := os.Open(dir)
	if err != nil {
		_ = os.Remove(dir)
		return nil, pathless(err)
	}
	return &cgroup{dir: dir, file: f}, nil
}

func (g *cgroup) set(file, value string) error {
	return pathless(os.WriteFile(filepath.Join(g.dir, file), []byte(value), 0))
}

// kill ends everything in the group at once.
func (g *cgroup) kill() {
	if g.set("cgroup.kill", "1") == nil {
		return
	}
	for _, pid := range words(filepath.Join(g.dir, "cgroup.procs")) { // before Linux 5.14
		if n, err := strconv.Atoi(pid); err == nil && n > 1 {
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
}

func (g *cgroup) populated() bool {
	f, err := os.Open(filepath.Join(g.dir, "cgroup.events"))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if s.Text() == "populated 1" {
			return true
		}
	}
	return false
}

// end kills what is in the group and removes it; false if something outlives that.
func (g *cgroup) end(ctx context.Context) bool {
	defer func() { _ = g.file.Close() }()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		g.kill()
		err := os.Remove(g.dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return true
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return !g.populated()
		}
	}
}

// killsForMemory counts the processes that the memory limit has ended.
func (g *cgroup) killsForMemory() int {
	fields := words(filepath.Join(g.dir, "memory.events"))
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "oom_kill" {
			n, _ := strconv.Atoi(fields[i+1])
			return n
		}
	}
	return 0
}

// Sweep ends what an earlier host left and returns when it is gone.
func (c *Cgroups) Sweep(ctx context.Context) error {
	if c == nil || c.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil //nolint:nilerr // nothing can be left where nothing can be read
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir := filepath.Join(c.dir, e.Name())
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		if g := (&cgroup{dir: dir, file: f}); !g.end(ctx) {
			return spoolerr.New(spoolerr.Busy, 0,
				"processes of a module of an earlier host, in %s, cannot be ended; end them before starting the host, or they may print a second time", dir)
		}
	}
	return nil
}

// Close removes the directory of the host, if nothing is left in it.
func (c *Cgroups) Close() {
	if c != nil && c.dir != "" {
		_ = os.Remove(c.dir)
	}
}
