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

// AcceptSpooling records a job of which only the first part has come, under the name that
// its document will have. No submission key is taken yet, but one that is known gives its
// job.
func (q *Queue) AcceptSpooling(ctx context.Context, j Job, documentID string) (accepted, known *Job, err error) {
	j.Spooling, j.Document = true, document.Ref{ID: documentID}
	if len(j.Documents) > 0 {
		j.Documents[0].Ref = j.Document
	}
	accepted, err = q.Accept(ctx, j)
	if err == nil && accepted.Document.ID != documentID {
		return nil, accepted, nil
	}
	return accepted, nil, err
}

// Spooled accepts a job whose document is durable now. If another submission with its key
// has been faster, that job is given as known, and nothing has changed.
func (q *Queue) Spooled(ctx context.Context, id uint64, ref document.Ref) (j, known *Job, err error) {
	err = q.store.Update(ctx, func(tx store.Tx) error {
		old, err := q.keys.load(tx, id)
		if err != nil {
			return err
		}
		if known, err = q.keys.submitted(tx, old.Submission); known != nil || err != nil {
			return err
		}
		if j, err = q.apply(tx, id, func(j *Job) (*Job, error) { return spooled(j, ref) }); err != nil {
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
