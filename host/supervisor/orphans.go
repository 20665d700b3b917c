package supervisor

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Orphans is the record of running module processes, kept as files so that the next host
// finds what this one may leave when it is killed. It needs no fsync: after a crash of
// the machine the processes are gone too, which the boot id tells.
type Orphans struct {
	dir string
}

// Orphan is one recorded process.
type Orphan struct {
	PID         int    `json:"pid"`
	Start       uint64 `json:"start"` // start time in clock ticks since boot
	BootID      string `json:"boot_id"`
	Name        string `json:"name"`
	Incarnation uint64 `json:"incarnation"`
	// Mark is a variable in the environment of the process and of what it started.
	Mark string `json:"mark,omitempty"`
}

// NewOrphans keeps the record in dir.
func NewOrphans(dir string) (*Orphans, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "record of module processes %s", dir)
	}
	return &Orphans{dir: dir}, nil
}

// Record notes a process that was just started, and the mark of what it starts.
func (o *Orphans) Record(pid int, name string, incarnation uint64, mark string) error {
	start, _ := startTime(pid)
	data, err := json.Marshal(Orphan{PID: pid, Start: start, BootID: bootID(), Name: name, Incarnation: incarnation, Mark: mark})
	if err != nil {
		return err
	}
	tmp := o.path(incarnation) + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "module %s: cannot record its process", name)
	}
	return os.Rename(tmp, o.path(incarnation))
}

// Forget drops a process that has ended.
func (o *Orphans) Forget(incarnation uint64) { _ = os.Remove(o.path(incarnation)) }

func (o *Orphans) path(incarnation uint64) string {
	return filepath.Join(o.dir, strconv.FormatUint(incarnation, 10)+".json")
}

// End kills every recorded process that still lives, with its group, and returns when all
// are gone, so that no second sender of a document is left. It reports those it found.
func (o *Orphans) End(ctx context.Context) ([]Orphan, error) {
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "record of module processes")
	}
	var found []Orphan
	for _, e := range entries {
		path := filepath.Join(o.dir, e.Name())
		var rec Orphan
		data, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(data, &rec) == nil && rec.PID > 1 && rec.BootID == bootID() {
			ended, err := endOrphan(ctx, rec)
			if err != nil {
				return found, err
			}
			if ended {
				found = append(found, rec)
			}
		}
		_ = os.Remove(path)
	}
	return found, nil
}

func endOrphan(ctx context.Context, rec Orphan) (bool, error) {
	if !ours(rec) && len(strays(rec.Mark)) == 0 {
		return false, nil
	}
	const patience = 10 * time.Second
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		if ours(rec) {
			killGroup(rec.PID)
		}
		if endStrays(limited, rec.Mark) && !ours(rec) {
			return true, nil
		}
		select {
		case <-poll.C:
		case <-limited.Done():
			if ctx.Err() != nil {
				return true, ctx.Err()
			}
			return true, spoolerr.New(spoolerr.Busy, 0,
				"module %s of an earlier host (pid %d) cannot be ended; end it before starting the host, or it may print a second time",
				rec.Name, rec.PID)
		}
	}
}

// ours says whether the recorded process, or its group without it, is still there.
func ours(rec Orphan) bool {
	start, state := startTime(rec.PID)
	switch {
	case state == "":
		return groupAlive(rec.PID)
	case start != rec.Start:
		return false // the number was given to somebody else
	case state == "Z":
		return groupAlive(rec.PID)
	}
	return true
}

// startTime reads the start time and the state of a process; state is empty if there is
// no such process.
func startTime(pid int) (start uint64, state string) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, ""
	}
	return parseStat(string(data))
}

// parseStat takes fields 3 and 22 of proc_pid_stat(5). The command in field 2 may hold
// anything, so parsing begins after its last parenthesis.
func parseStat(stat string) (start uint64, state string) {
	i := strings.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, ""
	}
	fields := strings.Fields(stat[i+1:])
	const startField = 22 - 3
	if len(fields) <= startField {
		return 0, ""
	}
	start, err := strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return 0, ""
	}
	return start, fields[0]
}

func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
