package job

import (
	"context"
	"iter"
	"slices"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Get gives a job, finished or not. It is the caller's to read, not to change.
func (q *Queue) Get(ctx context.Context, id uint64) (*Job, error) {
	if j := q.current(id); j != nil {
		return j, nil
	}
	var found *Job
	err := q.store.View(ctx, func(tx store.Tx) error {
		j, err := q.keys.load(tx, id, nil)
		found = j
		return err
	})
	return found, err
}

// current gives an unfinished job with its progress, or nil.
func (q *Queue) current(id uint64) *Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.withProgress(q.active[id])
}

// withProgress copies j if its running attempt has sent something, or more of its document
// has come; q.mu is held.
func (q *Queue) withProgress(j *Job) *Job {
	if j == nil {
		return nil
	}
	sent, doc := q.progress[j.ID], q.coming[j.ID]
	if (sent == 0 || j.Current() == nil) && (doc == nil || !j.Spooling) {
		return j
	}
	j = j.clone()
	if a := j.Current(); a != nil && sent > 0 {
		a.BytesSent = sent
	}
	if doc != nil && j.Spooling {
		j.setReceived(document.Ref{ID: j.Document.ID, Size: doc.Size()})
	}
	return j
}

// Active gives the unfinished jobs, of one printer or (empty name) of all, in order of id.
func (q *Queue) Active(printer string) []*Job {
	want := spool.Fold(printer)
	q.mu.Lock()
	defer q.mu.Unlock()
	var jobs []*Job
	for _, j := range q.active {
		if printer == "" || spool.Fold(j.Printer) == want {
			jobs = append(jobs, q.withProgress(j))
		}
	}
	slices.SortFunc(jobs, func(a, b *Job) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return jobs
}

// Finished ranges over the finished jobs with an id greater than after, in order of id.
// A damaged record is yielded as an error, and the range goes on. It reads in pages, so
// that a slow reader holds no transaction open.
func (q *Queue) Finished(ctx context.Context, after uint64) iter.Seq2[*Job, error] {
	const page = 256
	return func(yield func(*Job, error) bool) {
		key := ""
		if after > 0 {
			key = q.keys.done(after)
		}
		for {
			items, err := q.page(ctx, q.keys.dones(), key, page)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range items {
				if !yield(q.keys.decode(item.Key, item.Value)) {
					return
				}
			}
			if len(items) < page {
				return
			}
			key = items[len(items)-1].Key
		}
	}
}

func (q *Queue) page(ctx context.Context, prefix, after string, most int) ([]store.Item, error) {
	var items []store.Item
	err := q.store.View(ctx, func(tx store.Tx) error {
		items = items[:0]
		for item, err := range tx.Scan(prefix, after) {
			if err != nil && item.Key == "" {
				return err
			}
			items = append(items, item) // a damaged one has no value and fails to decode
			if len(items) == most {
				return nil
			}
		}
		return nil
	})
	return items, err
}

// Count gives the number of unfinished jobs of a printer.
func (q *Queue) Count(printer string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l := q.lines[spool.Fold(printer)]; l != nil {
		return l.all
	}
	return 0
}

// Coming gives the number of jobs that are being moved to a printer: they print elsewhere
// and come when their attempts have ended.
func (q *Queue) Coming(printer string) int {
	want := spool.Fold(printer)
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, j := range q.active {
		if j.Intent == IntentMove && spool.Fold(j.MoveTo) == want && spool.Fold(j.Printer) != want {
			n++
		}
	}
	return n
}

// States counts the unfinished jobs by state.
func (q *Queue) States() map[State]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	counts := make(map[State]int)
	for _, j := range q.active {
		counts[j.State]++
	}
	return counts
}

// PrinterStates counts the unfinished jobs of each printer that has any.
func (q *Queue) PrinterStates() map[string]map[State]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	counts := make(map[string]map[State]int)
	for _, j := range q.active {
		if counts[j.Printer] == nil {
			counts[j.Printer] = make(map[State]int)
		}
		counts[j.Printer][j.State]++
	}
	return counts
}

// Watch gives a channel that receives after each change of the job; several changes may
// be told as one. stop must be called.
func (q *Queue) Watch(id uint64) (changed <-chan struct{}, stop func()) {
	w := make(chan struct{}, 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.watchers[id] == nil {
		q.watchers[id] = make(map[chan struct{}]struct{})
	}
	q.watchers[id][w] = struct{}{}
	return w, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.watchers[id], w)
		if len(q.watchers[id]) == 0 {
			delete(q.watchers, id)
		}
	}
}

func notify(w chan struct{}) {
	select {
	case w <- struct{}{}:
	default: // it has a notice waiting
	}
}
