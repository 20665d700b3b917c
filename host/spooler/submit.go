package spooler

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Submission is a job to be.
type Submission struct {
	Printer, Title, User string
	UID                  int64
	Datatype             string
	// Priority 0 takes the printer's default.
	Priority             uint32
	Hold                 bool
	StartTime, UntilTime uint32
}

// Submit spools a document and accepts the job: when it returns, both are durable. body
// must fail, rather than end, when the sender breaks off; then nothing is left behind.
func (s *Spooler) Submit(ctx context.Context, sub Submission, body io.Reader) (_ *job.Job, retErr error) {
	r, done, err := s.admit(sub)
	if err != nil {
		return nil, err
	}
	defer done()
	w, err := s.cfg.Documents.Create(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if retErr != nil {
			_ = w.Abort()
		}
	}()
	if _, err := io.Copy(w, body); err != nil {
		return nil, spoolerr.Wrap(err, "the document for printer %s was not accepted", spool.Quote(sub.Printer))
	}
	if w.Size() == 0 {
		return nil, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
			"the document for printer %s is empty; nothing was queued", spool.Quote(sub.Printer))
	}
	ref, err := w.Commit(ctx)
	if err != nil {
		return nil, err
	}
	j, err := s.cfg.Queue.Accept(ctx, job.Job{
		Printer: r.Name, Title: sub.Title, User: sub.User, UID: sub.UID, Datatype: spool.DatatypeRAW, Document: ref,
		State: initialState(sub.Hold), Reason: initialReason(sub.Hold), Priority: priorityOf(sub, r),
		StartTime: sub.StartTime, UntilTime: sub.UntilTime,
	})
	if err != nil {
		s.removeDocument(ctx, ref.ID)
		return nil, err
	}
	s.jobEvent(eventlog.JobAccepted, eventlog.Info, j, fmt.Sprintf("accepted from %s, %d bytes, for printer %s", j.User, ref.Size, spool.Quote(j.Printer)), "")
	s.kick(j.Printer)
	return j, nil
}

// admit checks a submission and keeps its printer from being deleted until done is called.
func (s *Spooler) admit(sub Submission) (r record, done func(), err error) {
	if sub.Priority != 0 {
		if err := checkPriority(sub.Priority); err != nil {
			return record{}, nil, err
		}
	}
	if err := errors.Join(checkHours(sub.StartTime, sub.UntilTime), checkText("the title", sub.Title), checkText("the user's name", sub.User)); err != nil {
		return record{}, nil, err
	}
	if sub.Datatype != "" && spool.Fold(sub.Datatype) != spool.Fold(spool.DatatypeRAW) {
		return record{}, nil, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidDatatype,
			"datatype %s is not supported; send the document as RAW", spool.Quote(sub.Datatype))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pr := s.lookup(sub.Printer)
	if pr == nil {
		return record{}, nil, unknownPrinter(sub.Printer)
	}
	pr.submitting++
	return pr.record, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		pr.submitting--
	}, nil
}

// lookup finds a printer; s.mu is held.
func (s *Spooler) lookup(name string) *printer { return s.printers[spool.Fold(name)] }

func initialState(hold bool) job.State {
	if hold {
		return job.Held
	}
	return job.Queued
}

func initialReason(hold bool) string {
	if hold {
		return "held on submission"
	}
	return ""
}

func priorityOf(sub Submission, r record) uint32 {
	if sub.Priority != 0 {
		return sub.Priority
	}
	return r.DefaultPriority
}
