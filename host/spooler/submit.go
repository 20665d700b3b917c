package spooler

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Submission is a job to be.
type Submission struct {
	Printer, Title, User string
	UID                  int64
	// Account and Origin are who submits it by password or certificate, and from where.
	Account, Origin string
	Datatype        string
	// Priority 0 takes the printer's default.
	Priority             uint32
	Hold                 bool
	StartTime, UntilTime uint32
	NotBefore            time.Time
	// Copies 0 is one.
	Copies uint32
	// Document describes the document of a job that has one.
	Document DocumentInfo
	// Ticket is kept with the job, see job.Job.
	Ticket []byte
	// Key makes submissions that have the same one a single job; see SubmissionKey.
	Key string
}

// SubmissionKey makes the key of a submission from what its caller chose; callers have each
// their own.
func SubmissionKey(caller, key string) (string, error) {
	const least, most = 16, 128
	if key == "" {
		return "", nil
	}
	if len(key) < least || len(key) > most || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", spoolerr.New(spoolerr.Invalid, 0, "the idempotency key must have %d to %d printable ASCII characters", least, most)
	}
	sum := sha256.Sum256([]byte(caller + "\x00" + key))
	return hex.EncodeToString(sum[:]), nil
}

// DocumentInfo is what a submitter says of a document.
type DocumentInfo struct {
	Name, Format string
	// Detect, if set, gives the format by the document's first bytes, or refuses it. What
	// it gives replaces Format.
	Detect func(head []byte) (string, error)
}

// Submit spools a document and accepts the job: when it returns, both are durable. body
// must fail, rather than end, when the sender breaks off; then nothing is left behind.
func (s *Spooler) Submit(ctx context.Context, sub Submission, body io.Reader) (*job.Job, error) {
	if sub.Key != "" {
		if known, err := s.cfg.Queue.Submitted(ctx, sub.Key); known != nil || err != nil {
			return known, err
		}
	}
	r, done, err := s.admit(sub)
	if err != nil {
		return nil, err
	}
	defer done()
	next := newJob(sub, r)
	if next.State == "" && r.HoldNew {
		next.State, next.Reason = job.Held, heldNew
	}
	early := s.receiveEarly(next, r)
	part, err := s.store(ctx, sub.Printer, sub.Document, body, early)
	if early.began() {
		return early.finish(ctx, part, err)
	}
	if err != nil {
		return nil, err
	}
	recording := time.Now()
	next.Document, next.Documents = part.Ref, described(part)
	at := s.claim(ctx, next)
	j, err := s.cfg.Queue.AcceptAndBegin(ctx, next, at.starting())
	switch {
	case err != nil:
		at.giveUp()
		s.unrecorded(ctx, part.ID, err)
		return nil, err
	case j.Document.ID != part.ID: // the same submission was faster on another way
		at.giveUp()
		s.removeDocument(ctx, part.ID)
		return j, nil
	}
	s.accepted(j, part.Size, recording)
	at.begin(j)
	return j, nil
}

// accepted does what follows when a job is durable.
func (s *Spooler) accepted(j *job.Job, size int64, recording time.Time) {
	s.cfg.Watcher.Accepted(time.Since(recording))
	s.jobEvent(eventlog.JobAccepted, eventlog.Info, j, fmt.Sprintf("accepted from %s, %d bytes, for printer %s", j.User, size, spool.Quote(j.Printer)), "")
	s.kick(j.Printer)
}

// described gives the documents of a job with one, if its submitter said anything of it.
func described(part job.Part) []job.Part {
	if part.Name == "" && part.Format == "" {
		return nil
	}
	return []job.Part{part}
}

// store spools one document, which prints meanwhile if early says how.
func (s *Spooler) store(ctx context.Context, printer string, info DocumentInfo, body io.Reader, early *reception) (_ job.Part, retErr error) {
	w, err := s.cfg.Documents.Create(ctx)
	if err != nil {
		return job.Part{}, err
	}
	defer func() {
		if retErr != nil {
			_ = w.Abort()
		}
	}()
	part := job.Part{Name: info.Name, Format: info.Format}
	if info.Detect != nil {
		if body, part.Format, err = detect(body, info.Detect); err != nil {
			return part, err
		}
	}
	if early != nil {
		if body, err = early.begin(ctx, w, part, body); err != nil {
			return part, spoolerr.Wrap(err, "the document for printer %s was not accepted", spool.Quote(printer))
		}
	}
	if _, err := io.Copy(w, body); err != nil {
		return part, spoolerr.Wrap(err, "the document for printer %s was not accepted", spool.Quote(printer))
	}
	if w.Size() == 0 {
		return part, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
			"the document for printer %s is empty; nothing was queued", spool.Quote(printer))
	}
	part.Ref, err = w.Commit(ctx)
	return part, spoolerr.Wrap(err, "the document for printer %s was not accepted", spool.Quote(printer))
}

// detect looks at the first bytes of a document and gives it back whole.
func detect(body io.Reader, by func([]byte) (string, error)) (io.Reader, string, error) {
	const enough = 4 << 10
	head := make([]byte, enough)
	n, err := io.ReadFull(body, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, "", err
	}
	format, err := by(head[:n])
	// Nothing but a Reader: with io.WriterTo of its own it would copy past Writer.ReadFrom.
	return struct{ io.Reader }{io.MultiReader(bytes.NewReader(head[:n]), body)}, format, err
}

// newJob is what a submission becomes.
func newJob(sub Submission, r record) job.Job {
	j := job.Job{
		Printer: r.Name, Title: sub.Title, User: sub.User, UID: sub.UID, Account: sub.Account, Origin: sub.Origin,
		Datatype: spool.DatatypeRAW, Priority: priorityOf(sub, r), StartTime: sub.StartTime, UntilTime: sub.UntilTime,
		NotBefore: sub.NotBefore, Copies: sub.Copies, Ticket: sub.Ticket, Submission: sub.Key,
	}
	if sub.Hold {
		j.State, j.Reason = job.Held, "held on submission"
	}
	return j
}

// heldNew is the reason of jobs that came while the printer held new ones.
const heldNew = "the printer holds new jobs"

// admit checks a submission and keeps its printer from being deleted until done is called.
func (s *Spooler) admit(sub Submission) (r record, done func(), err error) {
	if sub.Priority != 0 {
		if err := checkPriority(sub.Priority); err != nil {
			return record{}, nil, err
		}
	}
	if err := sub.check(); err != nil {
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
	if pr.Rejecting || pr.initializing {
		return record{}, nil, spoolerr.New(spoolerr.Precondition, spoolerr.CodeInvalidPrinterState,
			"printer %s accepts no jobs now; submit to another one, or ask an operator", spool.Quote(pr.Name))
	}
	pr.submitting++
	return pr.record, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		pr.submitting--
	}, nil
}

func (sub Submission) check() error {
	return errors.Join(checkHours(sub.StartTime, sub.UntilTime), checkText("the title", sub.Title), checkText("the user's name", sub.User),
		checkText("the document's name", sub.Document.Name), checkCopies(sub.Copies), checkTicket(sub.Ticket))
}

// MaxCopies bounds the copies of a job.
const MaxCopies = 9999

func checkCopies(n uint32) error {
	if n > MaxCopies {
		return spoolerr.New(spoolerr.Invalid, 0, "%d copies are too many; the most is %d", n, MaxCopies)
	}
	return nil
}

// checkTicket bounds what a record in the store carries for its submitter.
func checkTicket(ticket []byte) error {
	const most = 32 << 10
	if len(ticket) > most {
		return spoolerr.New(spoolerr.Exhausted, 0, "the job's attributes take %d bytes; the most is %d", len(ticket), most)
	}
	return nil
}

// lookup finds a printer; s.mu is held.
func (s *Spooler) lookup(name string) *printer { return s.printers[spool.Fold(name)] }

func priorityOf(sub Submission, r record) uint32 {
	if sub.Priority != 0 {
		return sub.Priority
	}
	return r.DefaultPriority
}
