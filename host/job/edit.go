package job

import (
	"context"
	"slices"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Edit is a change of what a submitter decided. A nil field keeps what it was.
type Edit struct {
	Title     *string
	Priority  *uint32
	Copies    *uint32
	NotBefore *time.Time
	Hold      *bool
	Ticket    []byte
	// PartName names document Part, counted from 0.
	Part     int
	PartName *string
}

func edit(j *Job, e Edit) (*Job, error) {
	if j.State.Final() || j.State == Printing {
		return nil, wrongState(j, "be changed")
	}
	j = j.clone()
	assign(&j.Title, e.Title)
	assign(&j.Priority, e.Priority)
	assign(&j.Copies, e.Copies)
	assign(&j.NotBefore, e.NotBefore)
	if e.Ticket != nil {
		j.Ticket = e.Ticket
	}
	if e.PartName != nil {
		if j.Documents = append([]Part(nil), j.Parts()...); e.Part < 0 || e.Part >= len(j.Documents) {
			return nil, spoolerr.New(spoolerr.NotFound, 0, "job %d has no document %d", j.ID, e.Part+1)
		}
		j.Documents[e.Part].Name = *e.PartName
	}
	switch {
	case e.Hold == nil:
		return j, nil
	case *e.Hold:
		return hold(j)
	case j.State == Held || j.State == Incoming:
		until := j.NotBefore
		j, err := release(j)
		if err == nil {
			j.NotBefore = until
		}
		return j, err
	}
	return j, nil
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// Edit changes a job that does not print.
func (q *Queue) Edit(ctx context.Context, id uint64, e Edit) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) { return edit(j, e) })
}

// Promote puts a job before all others of its printer.
func (q *Queue) Promote(ctx context.Context, id uint64) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) {
		if j.State.Final() || j.State == Printing {
			return nil, wrongState(j, "be promoted")
		}
		j = j.clone()
		j.Promoted = q.now().UnixNano()
		return j, nil
	})
}

// ScheduleAfter puts a job right behind another one of its printer.
func (q *Queue) ScheduleAfter(ctx context.Context, id, predecessor uint64) (*Job, error) {
	before, err := q.Get(ctx, predecessor)
	if err != nil {
		return nil, err
	}
	if before.State == Printing {
		return q.Promote(ctx, id)
	}
	place := q.placeBehind(before, id)
	return q.change(ctx, id, func(j *Job) (*Job, error) {
		switch {
		case j.State.Final() || j.State == Printing:
			return nil, wrongState(j, "be scheduled")
		case before.State.Final():
			return nil, wrongState(before, "have a job after it")
		case before.Printer != j.Printer || before.ID == j.ID:
			return nil, spoolerr.New(spoolerr.Invalid, 0, "job %d cannot be scheduled after job %d: they must be two jobs of one printer", j.ID, before.ID)
		}
		j = j.clone()
		j.Promoted, j.Priority, j.Place = before.Promoted, before.Priority, place
		return j, nil
	})
}

// placeBehind gives the place between a job and the one that would print after it.
func (q *Queue) placeBehind(before *Job, except uint64) float64 {
	jobs := q.Active(before.Printer)
	slices.SortFunc(jobs, func(a, b *Job) int {
		if Before(a, b) {
			return -1
		}
		return 1
	})
	for _, j := range jobs {
		if j.ID != except && Before(before, j) && j.Promoted == before.Promoted && j.Priority == before.Priority {
			return (before.place() + j.place()) / 2
		}
	}
	return before.place() + 1
}
