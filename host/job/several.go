package job

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// In a cluster one queue has several writers. Every node takes new jobs and documents of
// incoming ones, through Intake; all else is the owner's, whose queue is made by NewOwner.
// What others took the owner finds by Follow. Ids are given out in the transaction that
// records the job, so that they are in the order of acceptance on all nodes, and no id is
// used twice whoever dies when.

// NewOwner makes the queue that the owner of a cluster spooler will have: empty until Own.
func NewOwner(s store.Store, spooler string, now func() time.Time) *Queue {
	return emptyQueue(s, spooler, now)
}

// Own reads the unfinished jobs, as Open does, for a node that owns the spooler from now on:
// attempts carry its epoch, and Follow brings what other nodes accept. Close must be called.
func (q *Queue) Own(ctx context.Context, epoch uint64) ([]Problem, error) {
	q.epoch, q.follow = epoch, q.store.Watch(q.keys.actives()) // before the first look, so that nothing is missed
	return q.load(ctx)
}

// Close ends Follow. It may be called again.
func (q *Queue) Close() {
	if q.follow != nil {
		q.follow.Close()
	}
}

// Intake is the queue of a spooler that another node owns, or none: jobs are accepted and
// documents added to them, but nothing is read at start and nothing kept in memory.
func Intake(s store.Store, spooler string, now func() time.Time) *Queue {
	q := emptyQueue(s, spooler, now)
	q.intake = true
	return q
}

// Follow makes what other nodes accept visible until ctx ends or the queue is closed; came
// is told of the printers that got jobs.
func (q *Queue) Follow(ctx context.Context, came func(printer string)) error {
	const firstWait, longestWait = 100 * time.Millisecond, 5 * time.Second
	wait := firstWait
	for {
		change, err := q.follow.Next(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, spoolerr.Unavailable) {
				return nil // told to end
			}
			return err
		}
		for err := q.absorb(ctx, change, came); err != nil; err = q.absorb(ctx, store.Change{All: true}, came) {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return nil
			}
			wait = min(2*wait, longestWait)
		}
		wait = firstWait
	}
}

// absorb reads the jobs that others may have written and publishes them.
func (q *Queue) absorb(ctx context.Context, change store.Change, came func(printer string)) error {
	ids, err := q.foreign(ctx, change)
	if err != nil || len(ids) == 0 {
		return err
	}
	const batch = 256 // bounds one transaction
	for part := range slices.Chunk(ids, batch) {
		var jobs []*Job
		err := q.store.View(ctx, func(tx store.Tx) error {
			jobs = jobs[:0]
			for _, id := range part {
				j, err := q.keys.load(tx, id, nil)
				switch {
				case err == nil:
					jobs = append(jobs, j)
				case !errors.Is(err, spoolerr.NotFound) && !errors.Is(err, spoolerr.Corrupt):
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		printers := make(map[string]bool)
		for _, j := range jobs {
			q.publish(j)
			printers[j.Printer] = j.State == Queued || printers[j.Printer]
		}
		for p, waiting := range printers {
			if waiting {
				came(p)
			}
		}
	}
	return nil
}

// foreign gives the ids among the changed ones that another node may have written: jobs
// that this one does not know, and those whose documents are still to come. All others are
// changed by the owner alone, who has published them.
func (q *Queue) foreign(ctx context.Context, change store.Change) (ids []uint64, err error) {
	keys := change.Keys
	if change.All {
		if keys, err = q.activeKeys(ctx); err != nil {
			return nil, err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	seen := make(map[uint64]bool)
	for _, key := range keys {
		id, ok := q.keys.parseActive(key)
		if ok && q.mayBeForeign(id) {
			ids, seen[id] = append(ids, id), true
		}
	}
	if change.All { // incoming jobs that have ended meanwhile are in no listing
		for id, j := range q.active {
			if j.State == Incoming && !seen[id] {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// mayBeForeign is foreign for one id; q.mu is held.
func (q *Queue) mayBeForeign(id uint64) bool {
	if j := q.active[id]; j != nil {
		return j.State == Incoming
	}
	_, ended := q.ended.revisions[id]
	return !ended
}

func (q *Queue) activeKeys(ctx context.Context) (keys []string, err error) {
	const page = 1024
	for after := ""; ; after = keys[len(keys)-1] {
		items, err := q.page(ctx, q.keys.actives(), after, page)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			keys = append(keys, item.Key)
		}
		if len(items) < page {
			return keys, nil
		}
	}
}

// HasActive says whether a spooler has jobs that are not finished.
func HasActive(tx store.Tx, spooler string) (bool, error) {
	for item, err := range tx.Scan(newKeys(spooler).actives(), "") {
		if err != nil && item.Key == "" {
			return false, err
		}
		return true, nil
	}
	return false, nil
}

// Prefix is below which a spooler's queue has its entries.
func Prefix(spooler string) string { return newKeys(spooler).prefix }
