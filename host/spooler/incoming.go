package spooler

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// IncomingTimeout is how long a job waits for its next document before what came of it is
// held (IPP multiple-operation-time-out).
const IncomingTimeout = 5 * time.Minute

// Create accepts a job without a document. AddDocument brings documents, CloseJob ends it;
// until then it does not print.
func (s *Spooler) Create(ctx context.Context, sub Submission) (*job.Job, error) {
	r, done, err := s.admit(sub)
	if err != nil {
		return nil, err
	}
	defer done()
	next := newJob(sub, r)
	next.HoldAfter = next.Reason
	if !sub.Hold && r.HoldNew {
		next.HoldAfter = heldNew
	}
	next.State, next.Reason, next.Touched = job.Incoming, "its documents are still to come", s.cfg.Now()
	j, err := s.cfg.Queue.Accept(ctx, next)
	if err != nil {
		return nil, err
	}
	s.jobEvent(eventlog.JobAccepted, eventlog.Info, j, fmt.Sprintf("accepted from %s for printer %s; its documents are to come", j.User, spool.Quote(j.Printer)), "")
	return j, nil
}

// AddDocument spools a document of an incoming job; last completes the job. When it
// returns, both are durable. If it fails the job is as before, unless it prints while
// spooling and has begun: then it is cancelled.
func (s *Spooler) AddDocument(ctx context.Context, id uint64, info DocumentInfo, body io.Reader, last bool) (*job.Job, error) {
	if err := checkText("the document's name", info.Name); err != nil {
		return nil, err
	}
	j, err := s.cfg.Queue.Touch(ctx, id)
	if err != nil {
		return nil, err
	}
	s.receive(id, 1)
	defer s.receive(id, -1)
	if s.intake { // the owner, on another node, does not count it
		body = &heard{Reader: body, last: s.cfg.Now(), now: s.cfg.Now, touch: func() { _, _ = s.cfg.Queue.Touch(ctx, id) }}
	}
	early := s.receiveLast(j, last)
	part, err := s.store(ctx, j.Printer, info, body, early)
	if early.began() {
		return early.finish(ctx, part, err)
	}
	if err != nil {
		return nil, err
	}
	if j, err = s.cfg.Queue.Add(ctx, id, part, last); err != nil {
		s.unrecorded(ctx, part.ID, err)
		return nil, err
	}
	s.completed(ctx, j)
	return j, nil
}

// receive counts the documents of a job that are under way, so that a slow one is not
// taken for a submitter who went away.
func (s *Spooler) receive(id uint64, delta int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receiving[id] += delta; s.receiving[id] == 0 {
		delete(s.receiving, id)
	}
}

// heard is the document of a job whose owner is on another node: it writes down now and
// then that its submitter is still heard of. A touch that fails is followed by the next.
type heard struct {
	io.Reader
	last  time.Time
	now   func() time.Time
	touch func()
}

// Read implements io.Reader.
func (h *heard) Read(b []byte) (int, error) {
	const every = 10 * time.Second
	n, err := h.Reader.Read(b)
	if now := h.now(); n > 0 && now.Sub(h.last) >= every {
		h.last = now
		h.touch()
	}
	return n, err
}

// CloseJob says that an incoming job has all its documents.
func (s *Spooler) CloseJob(ctx context.Context, id uint64) (*job.Job, error) {
	j, err := s.cfg.Queue.Complete(ctx, id)
	if err != nil {
		return nil, err
	}
	s.completed(ctx, j)
	return j, nil
}

// completed does what follows when the documents of a job are all there.
func (s *Spooler) completed(ctx context.Context, j *job.Job) {
	switch {
	case j.State == job.Incoming:
		return
	case j.State.Final():
		s.removeDocuments(ctx, j)
		s.announce(j, "")
	default:
		s.jobEvent(eventlog.JobComplete, eventlog.Info, j,
			fmt.Sprintf("complete: %d documents, %d bytes, %s", len(j.Documents), j.Size(), j.State), "")
	}
	s.kick(j.Printer)
}

// abandonIdle holds incoming jobs whose submitters have not been heard of for long.
func (s *Spooler) abandonIdle(ctx context.Context) {
	for _, j := range s.cfg.Queue.Active("") {
		s.mu.Lock()
		busy := s.receiving[j.ID] > 0
		s.mu.Unlock()
		if j.State != job.Incoming || busy || s.cfg.Now().Sub(j.Touched) < IncomingTimeout {
			continue
		}
		after, err := s.cfg.Queue.Abandon(ctx, j.ID)
		switch {
		case err != nil && spoolerr.KindOf(err) != spoolerr.Precondition:
			s.cfg.Logger.Warn("cannot end an incoming job", "job", j.ID, "error", err)
		case err == nil:
			if after.State.Final() {
				s.removeDocuments(ctx, after)
			}
			s.announce(after, "")
		}
	}
}

// EditJob changes what a submitter decided; by is who asks.
func (s *Spooler) EditJob(ctx context.Context, id uint64, e job.Edit, by string) error {
	if e.Title != nil {
		if err := checkText("the title", *e.Title); err != nil {
			return err
		}
	}
	if e.PartName != nil {
		if err := checkText("the document's name", *e.PartName); err != nil {
			return err
		}
	}
	if e.Priority != nil {
		if err := checkPriority(*e.Priority); err != nil {
			return err
		}
	}
	if e.Copies != nil {
		if err := checkCopies(*e.Copies); err != nil {
			return err
		}
	}
	if err := checkTicket(e.Ticket); err != nil {
		return err
	}
	return s.act(ctx, eventlog.JobChanged, "changed by "+by, func(ctx context.Context) (*job.Job, error) {
		return s.cfg.Queue.Edit(ctx, id, e)
	})
}

// CancelDocument cancels one document of a job that does not print, counted from 1.
func (s *Spooler) CancelDocument(ctx context.Context, id uint64, number int, by string) error {
	return s.act(ctx, eventlog.JobChanged, fmt.Sprintf("document %d cancelled by %s", number, by), func(ctx context.Context) (*job.Job, error) {
		return s.cfg.Queue.CancelPart(ctx, id, number-1)
	})
}

// IdentifyPrinter tells operators which printer somebody looks for.
func (s *Spooler) IdentifyPrinter(name, by, message string) error {
	p, err := s.findPrinter(name)
	if err != nil {
		return err
	}
	s.event(eventlog.PrinterIdentify, eventlog.Info, eventlog.Printer, p.Name,
		fmt.Sprintf("%s asks printer %s to show itself: %s", by, spool.Quote(p.Name), spool.Quote(message)))
	return nil
}

// PromoteJob lets a job print next.
func (s *Spooler) PromoteJob(ctx context.Context, id uint64, by string) error {
	return s.act(ctx, eventlog.JobChanged, "promoted by "+by, func(ctx context.Context) (*job.Job, error) {
		return s.cfg.Queue.Promote(ctx, id)
	})
}

// ScheduleJobAfter lets a job print right after another one of its printer.
func (s *Spooler) ScheduleJobAfter(ctx context.Context, id, predecessor uint64, by string) error {
	return s.act(ctx, eventlog.JobChanged, fmt.Sprintf("put behind job %d by %s", predecessor, by), func(ctx context.Context) (*job.Job, error) {
		return s.cfg.Queue.ScheduleAfter(ctx, id, predecessor)
	})
}

// ReleaseHeldNew undoes HoldNew and releases the jobs that were held by it.
func (s *Spooler) ReleaseHeldNew(ctx context.Context, printer, by string) error {
	off := false
	if err := s.UpdatePrinter(ctx, printer, Settings{HoldNew: &off}); err != nil {
		return err
	}
	for _, j := range s.cfg.Queue.Active(printer) {
		if j.State != job.Held || j.Reason != heldNew {
			continue
		}
		if err := s.ReleaseJob(ctx, j.ID, by); err != nil && spoolerr.KindOf(err) != spoolerr.Precondition {
			return err
		}
	}
	return nil
}

// Document opens a document of a job for reading, counted from 1.
func (s *Spooler) Document(ctx context.Context, j *job.Job, number int) (*document.Document, job.Part, error) {
	parts := j.Parts()
	if number < 1 || number > len(parts) {
		return nil, job.Part{}, spoolerr.New(spoolerr.NotFound, 0, "job %d has no document %d; it has %d", j.ID, number, len(parts))
	}
	if j.DocumentGone {
		return nil, job.Part{}, spoolerr.New(spoolerr.Precondition, spoolerr.CodeSpoolFileNotFound,
			"the documents of job %d are no longer kept; let the printer keep printed jobs", j.ID)
	}
	if j.Spooling {
		return nil, job.Part{}, spoolerr.New(spoolerr.Precondition, spoolerr.CodeSpoolFileNotFound, "the document of job %d is still being received", j.ID)
	}
	doc, err := s.cfg.Documents.Open(ctx, parts[number-1].Ref)
	return doc, parts[number-1], err
}

// Resubmit makes a new job of the documents of another, which must still be kept.
func (s *Spooler) Resubmit(ctx context.Context, j *job.Job, sub Submission) (*job.Job, error) {
	copied, err := s.Create(ctx, sub)
	if err != nil {
		return nil, err
	}
	parts := j.Parts()
	for n := range parts {
		if copied, err = s.copyDocument(ctx, j, n+1, copied.ID, n == len(parts)-1); err != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return copied, nil
}

func (s *Spooler) copyDocument(ctx context.Context, from *job.Job, number int, to uint64, last bool) (*job.Job, error) {
	doc, part, err := s.Document(ctx, from, number)
	if err != nil {
		_ = s.CancelJob(ctx, to, "the host: its documents could not be copied")
		return nil, err
	}
	defer func() { _ = doc.Close() }()
	j, err := s.AddDocument(ctx, to, DocumentInfo{Name: part.Name, Format: part.Format}, io.NewSectionReader(doc, 0, doc.Size()), last)
	if err != nil {
		_ = s.CancelJob(context.WithoutCancel(ctx), to, "the host: its documents could not be copied")
	}
	return j, err
}
