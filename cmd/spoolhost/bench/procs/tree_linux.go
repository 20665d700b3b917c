package procs

import (
	"time"

	"github.com/prometheus/procfs"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Tree is a server's processes. It is for one goroutine.
type Tree struct {
	root int
	fs   procfs.FS
	// start tells the root from a later process with its number, and so for the orphans:
	// processes that were below it once, and outlived their parents.
	start map[int]uint64
	// orphans is the time of those that lost their parent; nobody in the tree counts it when they end.
	orphans map[int]time.Duration
}

// NewTree measures the process of this number and those below it.
func NewTree(pid int) (*Tree, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "/proc")
	}
	t := &Tree{root: pid, fs: fs, start: make(map[int]uint64), orphans: make(map[int]time.Duration)}
	p, err := fs.Proc(pid)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.NotFound, "there is no process %d on this machine to measure", pid)
	}
	stat, err := p.Stat()
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.NotFound, "there is no process %d on this machine to measure", pid)
	}
	t.start[pid] = stat.Starttime
	return t, nil
}

// Usage measures. Shares of memory are costly to find, so they are measured only if asked for.
func (t *Tree) Usage(shares bool) (Usage, error) {
	all, err := t.fs.AllProcs()
	if err != nil {
		return Usage{}, spoolerr.As(err, spoolerr.Unavailable, "/proc")
	}
	stats := make(map[int]procfs.ProcStat, len(all))
	procs := make(map[int]procfs.Proc, len(all))
	for _, p := range all {
		if stat, err := p.Stat(); err == nil { // else it has ended
			stats[p.PID], procs[p.PID] = stat, p
		}
	}
	if stats[t.root].Starttime != t.start[t.root] {
		return Usage{}, spoolerr.New(spoolerr.NotFound, 0, "process %d has ended", t.root)
	}
	var u Usage
	for pid := range t.members(stats) {
		stat := stats[pid]
		u.Processes++
		u.RSS += int64(stat.ResidentMemory())
		u.CPU += cpu(stat)
		if pid == t.root {
			u.Root = int64(stat.ResidentMemory())
		}
		if shares {
			if maps, err := procs[pid].ProcSMapsRollup(); err == nil {
				u.PSS += int64(maps.Pss)
			}
		}
	}
	u.CPU += t.ended(stats)
	return u, nil
}

// members are the root, what is below it, and what was below it once.
func (t *Tree) members(stats map[int]procfs.ProcStat) map[int]bool {
	in := make(map[int]bool)
	for pid, start := range t.start {
		if stats[pid].Starttime == start {
			in[pid] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, stat := range stats {
			if in[stat.PPID] && !in[pid] {
				in[pid], t.start[pid] = true, stat.Starttime
				grown = true
			}
		}
	}
	return in
}

// ended keeps the books of orphans: as long as a process has a parent in the tree, that
// one counts it when it ends.
func (t *Tree) ended(stats map[int]procfs.ProcStat) (total time.Duration) {
	for pid, start := range t.start {
		stat, lives := stats[pid]
		lives = lives && stat.Starttime == start
		_, parent := t.start[stat.PPID]
		switch {
		case lives && pid != t.root && !parent:
			t.orphans[pid] = cpu(stat)
		case !lives && t.orphans[pid] == 0:
			delete(t.start, pid)
		case !lives:
			total += t.orphans[pid]
		}
	}
	return total
}

// cpu is what a process used, and its children that have ended.
func cpu(s procfs.ProcStat) time.Duration {
	const tick = time.Second / 100 // USER_HZ
	return time.Duration(int64(s.UTime)+int64(s.STime)+int64(s.CUTime)+int64(s.CSTime)) * tick
}
