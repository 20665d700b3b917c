package job

import (
	"context"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Queue is the durable queue of one spooler. Every change is committed before it is
// seen. It is safe for concurrent use, and holds no lock across a commit.
type Queue struct {
	store store.Store
	keys  keys
	now   func() time.Time

	mu       sync.Mutex
	active   map[uint64]*Job
	lines    map[string]*line // by folded printer name
	taken    map[uint64]bool
	awaited  map[uint64]bool // spooling jobs that must not print before they are whole
	coming   map[uint64]Coming
	progress map[uint64]int64
	watchers map[uint64]map[chan struct{}]struct{}
	ended    recentEnds

	// Of a cluster spooler, see several.go; else zero.
	epoch  uint64
	follow *store.Watcher
	intake bool
}

// Problem is a record that could not be read at Open.
type Problem struct {
	Key string
	Err error
}

// Open reads the unfinished jobs of a spooler. Records that are damaged are reported and
// left alone.
func Open(ctx context.Context, s store.Store, spooler string, now func() time.Time) (*Queue, []Problem, error) {
	q := emptyQueue(s, spooler, now)
	problems, err := q.load(ctx)
	return q, problems, err
}

// load publishes the unfinished jobs.
func (q *Queue) load(ctx context.Context) (problems []Problem, err error) {
	err = q.store.View(ctx, func(tx store.Tx) error {
		for item, err := range tx.Scan(q.keys.actives(), "") {
			if err == nil {
				var j *Job
				if j, err = q.keys.decode(item.Key, item.Value); err == nil {
					q.publish(j)
					continue
				}
			} else if item.Key == "" {
				return err
			}
			problems = append(problems, Problem{Key: item.Key, Err: err})
		}
		return nil
	})
	return problems, err
}

func emptyQueue(s store.Store, spooler string, now func() time.Time) *Queue {
	return &Queue{
		store: s, keys: newKeys(spooler), now: now,
		active: make(map[uint64]*Job), lines: make(map[string]*line), taken: make(map[uint64]bool), awaited: make(map[uint64]bool),
		coming:   make(map[uint64]Coming),
		progress: make(map[uint64]int64), watchers: make(map[uint64]map[chan struct{}]struct{}),
	}
}

// Accept records a new job and gives it its id; when it returns, the record is durable.
// Its documents must be durable already; only an incoming job may have none. If another job
// has its submission key, nothing is recorded and that job is given.
func (q *Queue) Accept(ctx context.Context, j Job) (*Job, error) {
	return q.AcceptAndBegin(ctx, j, nil)
}

// AcceptAndBegin is Accept, and in the same commit Begin at a port that waits for the job;
// nil is none.
func (q *Queue) AcceptAndBegin(ctx context.Context, j Job, at *Attempt) (*Job, error) {
	var accepted, known *Job
	err := q.store.Update(ctx, func(tx store.Tx) error {
		next := j
		var err error
		if known, err = q.keys.submitted(tx, j.Submission); known != nil || err != nil {
			return err
		}
		id, err := q.keys.allocate(tx)
		if err != nil {
			return err
		}
		next.ID, next.Submitted, next.Revision = id, q.now(), 1
		if next.State == "" {
			next.State = Queued
		}
		accepted = &next
		if at != nil {
			if accepted, err = q.beginning(next.Printer, *at)(&next); err != nil {
				return err
			}
		}
		if !next.Spooling {
			if err := q.keys.remember(tx, accepted); err != nil {
				return err
			}
		}
		return q.keys.save(tx, nil, accepted)
	})
	if err != nil || known != nil {
		return known, err
	}
	q.publish(accepted)
	return accepted, nil
}

// change applies an event to a job, commits it, and makes it visible.
func (q *Queue) change(ctx context.Context, id uint64, event func(*Job) (*Job, error)) (*Job, error) {
	var next *Job
	err := q.store.Update(ctx, func(tx store.Tx) (err error) {
		next, err = q.apply(tx, id, event)
		return err
	})
	if err != nil {
		return nil, err
	}
	q.publish(next)
	return next, nil
}

// apply is change in a transaction. A refused event writes nothing.
func (q *Queue) apply(tx store.Tx, id uint64, event func(*Job) (*Job, error)) (*Job, error) {
	old, err := q.keys.load(tx, id, q.Latest(id))
	if err != nil {
		return nil, err
	}
	next, err := event(old)
	if err != nil || next == old {
		return next, err
	}
	next.Revision++
	return next, q.keys.save(tx, old, next)
}

// Latest gives an unfinished job as it was last published, without asking the store; nil if
// there is none. It is not to be changed.
func (q *Queue) Latest(id uint64) *Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.active[id]
}

// publish makes a committed job visible, unless a later revision is already.
func (q *Queue) publish(j *Job) {
	if q.intake {
		return // the owner finds it by Follow
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	old := q.active[j.ID]
	if old != nil && old.Revision >= j.Revision || q.ended.after(j) {
		return
	}
	if old != nil {
		l := q.line(old.Printer)
		l.remove(j.ID)
		l.all--
	}
	if j.State.Final() {
		delete(q.active, j.ID)
		delete(q.taken, j.ID)
		delete(q.awaited, j.ID)
		delete(q.coming, j.ID)
		delete(q.progress, j.ID)
		q.ended.add(j)
	} else {
		q.active[j.ID] = j
		l := q.line(j.Printer)
		l.all++
		if q.waits(j) {
			l.add(j)
		}
	}
	for w := range q.watchers[j.ID] {
		notify(w)
	}
}

// recentEnds remembers the last jobs that finished, so that an earlier revision of one,
// published late by a slower goroutine, does not bring it back.
type recentEnds struct {
	revisions map[uint64]uint64
	order     []uint64
}

func (r *recentEnds) after(j *Job) bool { return r.revisions[j.ID] >= j.Revision }

func (r *recentEnds) add(j *Job) {
	const most = 4096
	if r.revisions == nil {
		r.revisions = make(map[uint64]uint64)
	}
	if len(r.order) >= most {
		delete(r.revisions, r.order[0])
		r.order = r.order[1:]
	}
	if _, again := r.revisions[j.ID]; !again {
		r.order = append(r.order, j.ID)
	}
	r.revisions[j.ID] = j.Revision
}

func (q *Queue) line(printer string) *line {
	key := spool.Fold(printer)
	l := q.lines[key]
	if l == nil {
		l = newLine()
		q.lines[key] = l
	}
	return l
}

// Peek gives the job that the printer would print next, without taking it.
func (q *Queue) Peek(printer string) (*Job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.lines[spool.Fold(printer)].first(q.now())
	return j, j != nil
}

// Take reserves a job found by Peek, so that nobody else takes it; false if somebody
// has. Begin or Return must follow.
func (q *Queue) Take(id uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.active[id]
	if j == nil || j.State != Queued || q.taken[id] {
		return false
	}
	q.taken[id] = true
	q.line(j.Printer).remove(id)
	return true
}

// Return gives a taken job back to its printer's line.
func (q *Queue) Return(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.taken, id)
	if j := q.active[id]; j != nil && q.waits(j) {
		q.line(j.Printer).add(j)
	}
}

// NextOpening gives the time until a job of the printer that waits for its hours may
// print; 0 if none waits.
func (q *Queue) NextOpening(printer string) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lines[spool.Fold(printer)].opens(q.now())
}

// Begin records an attempt of a taken job; only then may its first byte leave. It refuses
// a job that was moved away from the printer after it was taken.
func (q *Queue) Begin(ctx context.Context, id uint64, printer string, a Attempt) (*Job, error) {
	j, err := q.change(ctx, id, q.beginning(printer, a))
	if err != nil {
		q.Return(id)
		return nil, err
	}
	q.untake(id)
	return j, nil
}

func (q *Queue) beginning(printer string, a Attempt) func(*Job) (*Job, error) {
	a.Epoch = q.epoch
	return func(j *Job) (*Job, error) {
		if spool.Fold(j.Printer) != spool.Fold(printer) {
			return nil, wrongState(j, "begin at printer "+spool.Quote(printer)+": it was moved")
		}
		return begin(j, a, q.now())
	}
}

func (q *Queue) untake(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.taken, id)
}

// End records how the running attempt came out.
func (q *Queue) End(ctx context.Context, id uint64, r Result, rules Rules) (*Job, error) {
	q.mu.Lock()
	delete(q.progress, id)
	q.mu.Unlock()
	return q.change(ctx, id, func(j *Job) (*Job, error) { return end(j, r, rules, q.now()) })
}

// Start is a taken job that begins.
type Start struct {
	ID      uint64
	Printer string
	Attempt Attempt
}

// EndAndBegin is End, and in the same commit Begin of a job that was taken for the same
// port. A start that is refused changes nothing of the end: begun is nil, and the job is
// still taken. start may be nil.
func (q *Queue) EndAndBegin(ctx context.Context, id uint64, r Result, rules Rules, start *Start) (ended, begun *Job, err error) {
	if start == nil {
		ended, err = q.End(ctx, id, r, rules)
		return ended, nil, err
	}
	q.mu.Lock()
	delete(q.progress, id)
	q.mu.Unlock()
	err = q.store.Update(ctx, func(tx store.Tx) (err error) {
		begun = nil
		if ended, err = q.apply(tx, id, func(j *Job) (*Job, error) { return end(j, r, rules, q.now()) }); err != nil {
			return err
		}
		begun, err = q.apply(tx, start.ID, q.beginning(start.Printer, start.Attempt))
		switch spoolerr.KindOf(err) {
		case spoolerr.Precondition, spoolerr.NotFound, spoolerr.Corrupt:
			begun, err = nil, nil // it was cancelled, held or moved meanwhile, or is damaged
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	q.publish(ended)
	if begun != nil {
		q.publish(begun)
		q.untake(start.ID)
	}
	return ended, begun, nil
}

// SetProgress notes the bytes that the running attempt has sent, in memory only.
func (q *Queue) SetProgress(id uint64, sent int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.progress[id] = sent
}

// Cancel ends a job; one that prints gets the intent, and its attempt has to be stopped.
func (q *Queue) Cancel(ctx context.Context, id uint64, reason string) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) { return cancel(j, reason, q.now()) })
}

// Hold keeps a job from printing; for one that prints see Cancel.
func (q *Queue) Hold(ctx context.Context, id uint64) (*Job, error) { return q.change(ctx, id, hold) }

// Release undoes Hold.
func (q *Queue) Release(ctx context.Context, id uint64) (*Job, error) {
	return q.change(ctx, id, release)
}

// Restart prints a job from its beginning; for one that prints see Cancel.
func (q *Queue) Restart(ctx context.Context, id uint64) (*Job, error) {
	return q.change(ctx, id, restart)
}

// Move gives a job to another printer; for one that prints see Cancel.
func (q *Queue) Move(ctx context.Context, id uint64, printer string) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) { return move(j, printer) })
}

// Fail ends a job that cannot be printed at all.
func (q *Queue) Fail(ctx context.Context, id uint64, reason string) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) { return fail(j, reason, q.now()) })
}
