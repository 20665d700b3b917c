package job

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// advance goes on to the next document, or to the first of the next copy; false if the
// last one has printed.
func (j *Job) advance() bool {
	if j.seek(j.At + 1) {
		return true
	}
	if j.CopiesDone+1 < j.Copies {
		j.CopiesDone++
		return j.seek(0) || len(j.Documents) == 0
	}
	return false
}

// rewind goes back to the first document of the first copy.
func (j *Job) rewind() {
	j.CopiesDone = 0
	j.seek(0)
}

// seek makes the first document from a place on that is not cancelled the one to print.
func (j *Job) seek(from int) bool {
	for i := from; i < len(j.Documents); i++ {
		if !j.Documents[i].Cancelled {
			j.At, j.Document = i, j.Documents[i].Ref
			return true
		}
	}
	return false
}

// cancelPart cancels one document of a job that does not print, counted from 0. A job
// without another document is cancelled as a whole.
func cancelPart(j *Job, n int, now time.Time) (*Job, error) {
	switch {
	case j.State.Final() || j.State == Printing:
		return nil, wrongState(j, "have a document cancelled")
	case n < 0 || n >= len(j.Parts()):
		return nil, spoolerr.New(spoolerr.NotFound, 0, "job %d has no document %d", j.ID, n+1)
	case len(j.Documents) == 0:
		return cancel(j, "its document was cancelled", now)
	case n < j.At || j.Documents[n].Cancelled:
		return nil, spoolerr.New(spoolerr.Precondition, 0, "document %d of job %d has ended already", n+1, j.ID)
	}
	j = j.clone()
	j.Documents[n].Cancelled = true
	if n == j.At && j.State != Incoming && !j.advance() {
		return finish(j, Cancelled, "its documents were cancelled", now), nil
	}
	return j, nil
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
	j.seek(0)
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
	case !j.seek(0):
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

// CancelPart cancels one document of a job that does not print, counted from 0.
func (q *Queue) CancelPart(ctx context.Context, id uint64, n int) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) { return cancelPart(j, n, q.now()) })
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
