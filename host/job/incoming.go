package job

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// advance goes on to the next document, or to the first of the next copy; false if the
// last one has printed.
func (j *Job) advance() bool {
	switch {
	case j.At+1 < len(j.Documents):
		j.At++
	case j.CopiesDone+1 < j.Copies:
		j.CopiesDone++
		j.At = 0
	default:
		return false
	}
	j.present()
	return true
}

// rewind goes back to the first document of the first copy.
func (j *Job) rewind() {
	j.At, j.CopiesDone = 0, 0
	j.present()
}

func (j *Job) present() {
	if j.At < len(j.Documents) {
		j.Document = j.Documents[j.At].Ref
	}
}

// add gives an incoming job another document.
func add(j *Job, p Part, now time.Time) (*Job, error) {
	switch {
	case j.State != Incoming:
		return nil, wrongState(j, "take another document")
	case len(j.Documents) >= MaxDocuments:
		return nil, spoolerr.New(spoolerr.Exhausted, 0, "job %d has %d documents, which is the most; submit the rest as another job", j.ID, MaxDocuments)
	}
	j = j.clone()
	j.Documents = append(j.Documents, p)
	j.Touched = now
	j.present()
	return j, nil
}

// complete ends the incoming of a job: it prints, or is held if that was asked for. A job
// without a document is cancelled.
func complete(j *Job, now time.Time) (*Job, error) {
	if j.State != Incoming {
		return nil, wrongState(j, "be closed")
	}
	j = j.clone()
	switch {
	case len(j.Documents) == 0:
		return finish(j, Cancelled, "closed without a document", now), nil
	case j.HoldAfter != "":
		j.State, j.Reason = Held, j.HoldAfter
	default:
		j.State, j.Reason = Queued, ""
	}
	j.HoldAfter, j.Touched = "", time.Time{}
	return j, nil
}

// abandon ends the incoming of a job whose submitter went away: what came is held, and a
// job without a document is cancelled. Half of something must not print by itself.
func abandon(j *Job, now time.Time) (*Job, error) {
	j, err := complete(j, now)
	if err != nil || j.State.Final() {
		return j, err
	}
	j.State, j.Reason = Held, "its submitter never said that this was all; release it to print what came, or cancel it"
	return j, nil
}

// Add gives an incoming job a document, which must be durable already. If last is set, the
// job is complete.
func (q *Queue) Add(ctx context.Context, id uint64, p Part, last bool) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) {
		j, err := add(j, p, q.now())
		if err != nil || !last {
			return j, err
		}
		return complete(j, q.now())
	})
}

// Complete ends the incoming of a job.
func (q *Queue) Complete(ctx context.Context, id uint64) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) { return complete(j, q.now()) })
}

// Abandon ends the incoming of a job whose submitter has gone.
func (q *Queue) Abandon(ctx context.Context, id uint64) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) { return abandon(j, q.now()) })
}

// Touch notes that an incoming job's submitter was heard of.
func (q *Queue) Touch(ctx context.Context, id uint64) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) {
		if j.State != Incoming {
			return nil, wrongState(j, "take another document")
		}
		j = j.clone()
		j.Touched = q.now()
		return j, nil
	})
}
