package job

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// A job may print while its document is still being received (start printing:
// while-spooling). It has a record then, so that its attempts are known, but its submitter
// has not been told its id: only Spooled accepts it, BreakOff ends it, and so does whoever
// finds it in the records of an earlier life.

// Coming is a document that is being received.
type Coming interface {
	ID() string  // the name that it will have in its Ref
	Size() int64 // how many bytes have come
}

// AcceptSpooling records a job of which only the first part has come. No submission key is
// taken yet, but one that is known gives its job.
func (q *Queue) AcceptSpooling(ctx context.Context, j Job, doc Coming) (accepted, known *Job, err error) {
	j.Spooling = true
	j.setReceived(document.Ref{ID: doc.ID()})
	accepted, err = q.Accept(ctx, j)
	if err == nil && accepted.Document.ID != doc.ID() {
		return nil, accepted, nil
	}
	if err == nil {
		q.expect(accepted.ID, doc)
	}
	return accepted, nil, err
}

// AddSpooling is Add of the only document of an incoming job, of which the first part has
// come: the job may print.
func (q *Queue) AddSpooling(ctx context.Context, id uint64, p Part, doc Coming) (*Job, error) {
	p.Ref = document.Ref{ID: doc.ID()}
	j, err := q.change(ctx, id, func(j *Job) (*Job, error) { return addSpooling(j, p, q.now()) })
	if err == nil {
		q.expect(id, doc)
	}
	return j, err
}

// expect has readers of the job told how much of its document has come.
func (q *Queue) expect(id uint64, doc Coming) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j := q.active[id]; j != nil && j.Spooling {
		q.coming[id] = doc
	}
}

func addSpooling(j *Job, p Part, now time.Time) (*Job, error) {
	if !j.MayPrintEarly() {
		return nil, wrongState(j, "print its document while it is being received")
	}
	j, err := add(j, p, now)
	if err == nil {
		j, err = complete(j, now)
	}
	if err == nil {
		j.Spooling = true
	}
	return j, err
}

// MayPrintEarly says that an incoming job could print the document that comes next before
// it is whole.
func (j *Job) MayPrintEarly() bool {
	return j.State == Incoming && len(j.Documents) == 0 && j.HoldAfter == ""
}

// Spooled accepts a job whose document is durable now. If another submission with its key
// has been faster, that job is given as known, and nothing has changed.
func (q *Queue) Spooled(ctx context.Context, id uint64, ref document.Ref) (j, known *Job, err error) {
	err = q.store.Update(ctx, func(tx store.Tx) error {
		old, err := q.keys.load(tx, id, q.Latest(id))
		if err != nil {
			return err
		}
		if known, err = q.keys.submitted(tx, old.Submission); err != nil {
			return err
		}
		mine := known != nil && known.ID == id // since it was created
		if known != nil && !mine {
			return nil
		}
		known = nil
		if j, err = q.apply(tx, id, func(j *Job) (*Job, error) { return spooled(j, ref) }); err != nil || mine {
			return err
		}
		return q.keys.remember(tx, j)
	})
	if err != nil || known != nil {
		return nil, known, err
	}
	q.publish(j)
	return j, nil, nil
}

// BreakOff ends a job whose document will not be whole: so many bytes of it have come. One
// that has been accepted or has ended stays as it is; for one that prints see Cancel.
func (q *Queue) BreakOff(ctx context.Context, id uint64, received int64, reason string) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) { return breakOff(j, received, reason, q.now()), nil })
}

// Await gives a taken job back that must not print before all of its document has come.
func (q *Queue) Await(id uint64) {
	q.mu.Lock()
	if j := q.active[id]; j != nil && j.Spooling {
		q.awaited[id] = true
	}
	q.mu.Unlock()
	q.Return(id)
}

// waits says that a queued job is in its printer's line; q.mu is held.
func (q *Queue) waits(j *Job) bool {
	if !j.Spooling {
		delete(q.awaited, j.ID)
		delete(q.coming, j.ID)
	}
	return j.State == Queued && !q.taken[j.ID] && !q.awaited[j.ID]
}

func spooled(j *Job, ref document.Ref) (*Job, error) {
	if j.State.Final() || j.Intent == IntentCancel {
		return nil, spoolerr.New(spoolerr.Cancelled, spoolerr.CodePrintCancelled,
			"job %d ended while its document was being received%s", j.ID, because(j.Reason))
	}
	j = j.clone()
	j.setReceived(ref)
	j.Spooling = false
	return j, nil
}

func (j *Job) setReceived(ref document.Ref) {
	j.Document = ref
	if len(j.Documents) > 0 {
		j.Documents[0].Ref = ref
	}
}

func breakOff(j *Job, received int64, reason string, now time.Time) *Job {
	if !j.Spooling || j.State.Final() {
		return j
	}
	j = j.clone()
	j.setReceived(document.Ref{ID: j.Document.ID, Size: received})
	if j.State == Printing {
		j.Intent, j.MoveTo, j.Reason = IntentCancel, "", reason
		return j
	}
	return finish(j, Cancelled, reason, now)
}
