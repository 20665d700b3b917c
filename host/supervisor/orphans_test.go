//go:build linux

package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
)

// sleeper is a process in a group of its own, which somebody must reap.
func sleeper(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, cmd.Start())
	reaped := make(chan struct{})
	go func() {
		defer close(reaped)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		killGroup(cmd.Process.Pid)
		<-reaped
	})
	return cmd
}

func newOrphans(t *testing.T) *Orphans {
	t.Helper()
	o, err := NewOrphans(filepath.Join(t.TempDir(), "modules"))
	check(t, err)
	return o
}

// rewrite changes a record, as another boot or another process would have left it.
func rewrite(t *testing.T, o *Orphans, incarnation uint64, change func(*Orphan)) {
	t.Helper()
	data, err := os.ReadFile(o.path(incarnation))
	check(t, err)
	var rec Orphan
	check(t, json.Unmarshal(data, &rec))
	change(&rec)
	data, err = json.Marshal(rec)
	check(t, err)
	check(t, os.WriteFile(o.path(incarnation), data, 0o600))
}

func TestOrphansEndsSurvivor(t *testing.T) {
	o := newOrphans(t)
	cmd := sleeper(t, "sleep 3600 & sleep 3600")
	check(t, o.Record(cmd.Process.Pid, "left", 7, ""))
	found, err := o.End(deadline(t, poll.Patience))
	check(t, err)
	if len(found) != 1 || found[0].Name != "left" || found[0].Incarnation != 7 || found[0].PID != cmd.Process.Pid {
		t.Errorf("found %+v", found)
	}
	if groupAlive(cmd.Process.Pid) {
		t.Error("its group is alive")
	}
	found, err = o.End(deadline(t, poll.Patience))
	if err != nil || len(found) != 0 {
		t.Errorf("the second time: %v, %v", found, err)
	}
}

// TestOrphansEndsLeaderlessGroup: the module died with the host, what it started did not.
func TestOrphansEndsLeaderlessGroup(t *testing.T) {
	o := newOrphans(t)
	cmd := sleeper(t, "sleep 3600 & echo")
	check(t, o.Record(cmd.Process.Pid, "left", 8, ""))
	poll.Until(t, "the leader is gone", func() bool { return stateOf(cmd.Process.Pid) == "" })
	if !groupAlive(cmd.Process.Pid) {
		t.Fatal("no group left")
	}
	found, err := o.End(deadline(t, poll.Patience))
	if err != nil || len(found) != 1 || groupAlive(cmd.Process.Pid) {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestOrphansSpares: processes that have got the number of one of ours since.
func TestOrphansSpares(t *testing.T) {
	for name, change := range map[string]func(*Orphan){
		"another start time": func(r *Orphan) { r.Start++ },
		"another boot":       func(r *Orphan) { r.BootID = "00000000-0000-0000-0000-000000000000" },
		"init":               func(r *Orphan) { r.PID = 1 },
		"everybody":          func(r *Orphan) { r.PID = 0 },
		"negative":           func(r *Orphan) { r.PID = -1 },
		"nobody":             func(r *Orphan) { r.PID = 1 << 30 },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrphans(t)
			cmd := sleeper(t, "sleep 3600")
			check(t, o.Record(cmd.Process.Pid, "other", 9, ""))
			rewrite(t, o, 9, change)
			found, err := o.End(deadline(t, poll.Patience))
			if err != nil || len(found) != 0 {
				t.Errorf("found %v, %v", found, err)
			}
			if !alive(cmd.Process.Pid) {
				t.Error("a foreign process was killed")
			}
		})
	}
}

func TestOrphansDamagedRecords(t *testing.T) {
	o := newOrphans(t)
	for i, text := range []string{"", "{", `{"pid":"x"}`, "null", "\x00\x01", `{"pid":99999999999999999999}`} {
		check(t, os.WriteFile(filepath.Join(o.dir, fmt.Sprint(i)), []byte(text), 0o600))
	}
	found, err := o.End(deadline(t, poll.Patience))
	if err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	if left, _ := os.ReadDir(o.dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestForget(t *testing.T) {
	o := newOrphans(t)
	check(t, o.Record(os.Getpid(), "me", 1, ""))
	o.Forget(1)
	o.Forget(1)
	if found, err := o.End(deadline(t, poll.Patience)); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

func statLine(command, state, start string) string {
	return "42 (" + command + ") " + state + strings.Repeat(" 0", 18) + " " + start + " 0 0"
}

func TestParseStat(t *testing.T) {
	for name, c := range map[string]struct {
		line  string
		start uint64
		state string
	}{
		"usual":           {statLine("sh", "S", "12345"), 12345, "S"},
		"hostile command": {statLine(") R 1 2 3 (", "T", "7"), 7, "T"},
		"newline":         {statLine("a\nb", "Z", "8"), 8, "Z"},
		"empty":           {"", 0, ""},
		"no parenthesis":  {"1 2 3", 0, ""},
		"short":           {"1 (a) S 1 2", 0, ""},
		"not a number":    {statLine("a", "S", "x"), 0, ""},
		"negative":        {statLine("a", "S", "-1"), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if start, state := parseStat(c.line); start != c.start || state != c.state {
				t.Errorf("got %d, %q", start, state)
			}
		})
	}
	if start, state := startTime(os.Getpid()); start == 0 || state == "" {
		t.Errorf("of this process: %d, %q", start, state)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add(statLine("sh", "S", "12345"))
	f.Add("1 (a) S")
	f.Add(")")
	f.Fuzz(func(t *testing.T, line string) {
		if start, state := parseStat(line); state == "" && start != 0 {
			t.Errorf("a start time without a state: %d", start)
		}
	})
}
