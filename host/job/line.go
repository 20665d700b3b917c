package job

import (
	"container/heap"
	"time"
)

// line is the waiting jobs of one printer: those that may print at any time in a heap,
// those with hours of their own in a set that is small in practice.
type line struct {
	ready readyHeap
	timed map[uint64]*Job
	all   int // every unfinished job of the printer, waiting or not
}

type readyHeap struct {
	jobs []*Job
	at   map[uint64]int
}

func (h *readyHeap) Len() int           { return len(h.jobs) }
func (h *readyHeap) Less(i, j int) bool { return Before(h.jobs[i], h.jobs[j]) }
func (h *readyHeap) Swap(i, j int) {
	h.jobs[i], h.jobs[j] = h.jobs[j], h.jobs[i]
	h.at[h.jobs[i].ID], h.at[h.jobs[j].ID] = i, j
}

// Push is heap.Interface's.
func (h *readyHeap) Push(x any) {
	j, _ := x.(*Job)
	h.at[j.ID] = len(h.jobs)
	h.jobs = append(h.jobs, j)
}

// Pop is heap.Interface's.
func (h *readyHeap) Pop() any {
	last := len(h.jobs) - 1
	j := h.jobs[last]
	h.jobs[last] = nil
	h.jobs = h.jobs[:last]
	delete(h.at, j.ID)
	return j
}

func newLine() *line {
	return &line{ready: readyHeap{at: make(map[uint64]int)}, timed: make(map[uint64]*Job)}
}

func (l *line) add(j *Job) {
	l.remove(j.ID)
	if j.StartTime != j.UntilTime || !j.NotBefore.IsZero() {
		l.timed[j.ID] = j
		return
	}
	heap.Push(&l.ready, j)
}

func (l *line) remove(id uint64) {
	delete(l.timed, id)
	if i, ok := l.ready.at[id]; ok {
		heap.Remove(&l.ready, i)
	}
}

// first gives the job to print next, or nil. A printer without jobs may have no line.
func (l *line) first(now time.Time) *Job {
	if l == nil {
		return nil
	}
	var best *Job
	if l.ready.Len() > 0 {
		best = l.ready.jobs[0]
	}
	for _, j := range l.timed {
		if j.Opens(now) <= 0 && (best == nil || Before(j, best)) {
			best = j
		}
	}
	return best
}

// opens gives the time until the first of the timed jobs may print; 0 if there is none.
func (l *line) opens(now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	var least time.Duration
	for _, j := range l.timed {
		if d := j.Opens(now); d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}
