package spooler

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// attempt is one job on its way to one port; the goroutine that runs it holds the port's
// reservation.
type attempt struct {
	spooler *Spooler
	port    *port
	rules   job.Rules
	job     *job.Job
	stop    context.Context
	cancel  context.CancelCauseFunc
	// doc is the document of an attempt that began with the end of the one before.
	doc *document.Document
	// early is where the document comes from, if it is still being received.
	early *reception
	// next is the attempt that has begun already at the same port, or nil.
	next *attempt
	// overLimit says that the last document was ended by the printer's job limit.
	overLimit bool
}

// startAttempt runs a taken job at a reserved port; s.mu is held.
func (s *Spooler) startAttempt(p *port, pr *printer, j *job.Job) {
	s.background.Add(1)
	go s.runAttempts(p, s.newAttempt(p, pr.Rules, j))
}

// runAttempts runs an attempt and those that follow it at the port, and releases the port.
func (s *Spooler) runAttempts(p *port, first *attempt) {
	defer s.background.Done()
	for a := first; a != nil; a = a.next {
		for more := true; more; {
			more = a.run(s.lifetime()) && s.cfg.Queue.Take(a.job.ID)
		}
		a.over()
	}
	s.takeTurn()
	s.release(s.lifetime(), p)
}

// newAttempt makes a taken job one that runs; s.mu is held.
func (s *Spooler) newAttempt(p *port, rules job.Rules, j *job.Job) *attempt {
	a := &attempt{spooler: s, port: p, rules: rules, job: j}
	a.stop, a.cancel = context.WithCancelCause(s.runCtx)
	s.running[j.ID] = a
	return a
}

// lifetime is the context of work that goes on while the spooler shuts down.
func (s *Spooler) lifetime() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runCtx
}

// stopAsked stops the attempt that an intent was recorded for, and not one that began
// after that attempt had ended by itself; s.mu is held.
func (s *Spooler) stopAsked(j *job.Job, cause error) {
	a := s.running[j.ID]
	if a != nil && j.State == job.Printing && j.Intent != job.NoIntent && a.job.Revision < j.Revision {
		a.cancel(cause)
	}
}

// stopAttempt ends a running document early; s.mu is held.
func (s *Spooler) stopAttempt(id uint64, cause error) {
	if a := s.running[id]; a != nil {
		a.cancel(cause)
	}
}

// run prints one document of the job. It says whether the job has another one, which goes
// to the same port.
func (a *attempt) run(ctx context.Context) (more bool) {
	defer a.closeDocument()
	open, ok := a.begin(ctx)
	return ok && a.finish(ctx, a.print(ctx, open, a.doc))
}

// begin opens document and port and records the attempt, unless all that was done with the
// end of the document before.
func (a *attempt) begin(ctx context.Context) (open *portmon.Port, ok bool) {
	s := a.spooler
	begun := a.doc != nil
	if !begun {
		var err error
		if a.doc, err = a.document(ctx); err != nil {
			a.unprintable(ctx, err)
			return nil, false
		}
	}
	open, err := s.ensureOpen(ctx, a.port)
	switch {
	case err != nil && begun:
		a.finish(ctx, job.Result{Outcome: job.Interrupted, Error: "its port was closed before it began: " + err.Error()})
		return nil, false
	case err != nil:
		s.cfg.Queue.Return(a.job.ID)
		a.offerElsewhere(ctx)
		return nil, false
	case begun:
		return open, true
	case a.job.Spooling && !open.Unsized():
		a.tooEarly(ctx)
		return nil, false
	}
	j, err := s.cfg.Queue.Begin(ctx, a.job.ID, a.job.Printer, a.record())
	if err != nil {
		if !errors.Is(err, spoolerr.Precondition) { // else it was cancelled, held or moved meanwhile
			s.storeFailed(a.port, err)
		}
		a.offerElsewhere(ctx) // Begin has given it back
		return nil, false
	}
	a.started(j)
	return open, true
}

// print prints a document within the printer's job limit.
func (a *attempt) print(ctx context.Context, open *portmon.Port, doc *document.Document) job.Result {
	stop, cancel := context.WithCancelCause(a.stop)
	defer cancel(nil)
	if limit := a.rules.Limit; limit > 0 {
		t := time.AfterFunc(limit, func() { cancel(overLimitError(limit)) })
		defer t.Stop()
	}
	r := open.Print(ctx, stop, a.describe(), doc, a)
	cause := context.Cause(stop)
	a.overLimit = false
	switch {
	case r.Outcome != job.Stopped:
	case errors.Is(cause, errShutdown):
		r.Outcome = job.Interrupted
	case errors.As(cause, new(overLimitError)):
		r.Outcome, a.overLimit = job.TimedOut, true
	}
	return r
}

// overLimitError ends a document that takes longer than its printer's job limit.
type overLimitError time.Duration

func (e overLimitError) Error() string {
	return fmt.Sprintf("the document held the port for longer than the printer's job limit of %v", time.Duration(e))
}

// offerElsewhere looks for another port for a job that was given back unbegun: one of the
// same pool, or one of the printer that it was moved to meanwhile.
func (a *attempt) offerElsewhere(ctx context.Context) {
	if j, err := a.spooler.cfg.Queue.Get(ctx, a.job.ID); err == nil {
		a.spooler.kick(j.Printer)
	}
}

// document opens the job's document. One from an earlier life of the host is read once
// in full, so that damaged paper is never printed.
func (a *attempt) document(ctx context.Context) (*document.Document, error) {
	s := a.spooler
	if a.job.Spooling {
		return a.growing(ctx)
	}
	if a.job.Submitted.Before(s.began) {
		if err := s.cfg.Documents.Verify(ctx, a.job.Document); err != nil {
			return nil, err
		}
	}
	return s.cfg.Documents.Open(ctx, a.job.Document)
}

// unprintable ends a job whose document is gone or damaged; other failures to read are
// tried again later.
func (a *attempt) unprintable(ctx context.Context, err error) {
	s := a.spooler
	if !errors.Is(err, spoolerr.Corrupt) && !errors.Is(err, spoolerr.NotFound) {
		s.cfg.Queue.Return(a.job.ID)
		s.storeFailed(a.port, err)
		return
	}
	failed, failErr := s.cfg.Queue.Fail(ctx, a.job.ID, err.Error())
	if failErr != nil {
		s.cfg.Queue.Return(a.job.ID)
		if !errors.Is(failErr, spoolerr.Precondition) {
			s.storeFailed(a.port, failErr)
		}
		return
	}
	s.jobEvent(eventlog.DocumentMissing, eventlog.Error, failed, "failed: "+err.Error(), "")
	s.removeDocuments(ctx, failed)
}

// storeFailed keeps a port from spinning while the host's own storage fails.
func (s *Spooler) storeFailed(p *port, err error) {
	s.cfg.Logger.Error("the store failed", "port", p.name, "error", err)
	s.portFailed(p, "the host's storage fails: "+err.Error())
}

func (a *attempt) record() job.Attempt {
	a.spooler.mu.Lock()
	defer a.spooler.mu.Unlock()
	return a.port.record()
}

// record is what an attempt at a reserved port begins as; the spooler's mutex is held.
func (p *port) record() job.Attempt {
	r := job.Attempt{Port: p.name, Monitor: p.holder.name}
	if inst := p.holder.instance; inst != nil {
		r.Incarnation = inst.Process.Incarnation
	}
	return r
}

func (a *attempt) describe() spool.Doc {
	size := a.job.Document.Size
	if a.job.Spooling {
		size = spool.SizeUnknown
	}
	return spool.Doc{
		JobID: a.job.ID, Printer: a.job.Printer, Title: a.job.Title, User: a.job.User,
		Datatype: a.job.Datatype, Size: size, Attempt: int(a.job.Current().Number),
	}
}

// finish records the result. Until it is recorded the port stays reserved: what was
// printed must not be forgotten.
func (a *attempt) finish(ctx context.Context, r job.Result) (more bool) {
	s := a.spooler
	next := a.follower(ctx, r)
	defer func() {
		if a.next == nil {
			next.giveBack()
		}
	}()
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, 10*time.Second) {
		after, begun, err := s.cfg.Queue.EndAndBegin(ctx, a.job.ID, r, a.rules, next.starting())
		if err == nil {
			if begun != nil {
				a.next = next
				defer next.started(begun)
			}
			s.cfg.Watcher.Ended(a.job.Printer, r)
			a.judge(r)
			more = a.goesOn(after, r)
			s.afterEnd(ctx, after, r, more)
			return more
		}
		s.cfg.Logger.Error("cannot record the end of an attempt", "job", a.job.ID, "error", err)
		if errors.Is(err, spoolerr.Precondition) || errors.Is(err, spoolerr.NotFound) {
			return false
		}
		if delay > lastWhenStopping && s.isStopping() {
			return false // the next life finds the attempt open and settles it
		}
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}

// goesOn says whether the job's next document may follow at once at the same port.
func (a *attempt) goesOn(j *job.Job, r job.Result) bool {
	s := a.spooler
	s.mu.Lock()
	defer s.mu.Unlock()
	pr := s.lookup(j.Printer)
	if r.Outcome != job.Sent || j.State != job.Queued || s.stopping || s.suspended || pr == nil || pr.Paused ||
		spool.Fold(j.Printer) != spool.Fold(a.job.Printer) || !a.port.unit.ready() {
		return false
	}
	a.job = j
	return true
}

// lastWhenStopping is the longest pause between tries to record an end while the spooler
// stops: a store that fails for good must not keep the host from ending.
const lastWhenStopping = time.Second

func (s *Spooler) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// judge tells the port how it did.
func (a *attempt) judge(r job.Result) {
	switch r.Outcome {
	case job.Sent:
		a.spooler.portWorked(a.port)
		if super := a.port.holder.super; super != nil { // the reservation keeps the holder
			super.Worked()
		}
	case job.DeviceFailed, job.TimedOut:
		if a.overLimit {
			return // the next document may go at once: only this one took too long
		}
		a.spooler.portFailed(a.port, r.Error)
	}
}

// afterEnd does what follows from a recorded end: events, and the document's removal.
// A job that goes on is not offered to other ports.
func (s *Spooler) afterEnd(ctx context.Context, j *job.Job, r job.Result, goesOn bool) {
	var last job.Attempt
	if n := len(j.Attempts); n > 0 {
		last = j.Attempts[n-1]
	}
	port := last.Port
	if r.Outcome != job.Sent {
		text := fmt.Sprintf("attempt %d at port %s of monitor %s ended %s", last.Number, spool.Quote(port), spool.Quote(last.Monitor), r.Outcome)
		switch {
		case r.Lost:
		case j.Spooling:
			text += fmt.Sprintf(" after %d bytes of a document that is still being received", r.BytesSent)
		default:
			text += fmt.Sprintf(" after %d of %d bytes", r.BytesSent, j.Document.Size)
		}
		if r.Error != "" {
			text += ": " + r.Error
		}
		s.jobEvent(eventlog.JobAttemptEnded, eventlog.Warning, j, text, port, eventlog.Relation(eventlog.Monitor, last.Monitor))
	}
	s.announce(j, port)
	if j.DocumentGone {
		s.removeDocuments(ctx, j)
	}
	if !goesOn {
		s.kick(j.Printer)
	}
}

// announce makes an event of the state a job has come to.
func (s *Spooler) announce(j *job.Job, port string) {
	switch j.State {
	case job.Printed:
		s.jobEvent(eventlog.JobPrinted, eventlog.Info, j, fmt.Sprintf("printed, %d bytes at port %s", j.Size(), spool.Quote(port)), port)
	case job.Held:
		s.jobEvent(eventlog.JobHeld, eventlog.Warning, j, "held: "+j.Reason, port)
	case job.Cancelled:
		s.jobEvent(eventlog.JobCancelled, eventlog.Info, j, j.Reason, port)
	case job.Failed:
		s.jobEvent(eventlog.JobFailed, eventlog.Error, j, "failed: "+j.Reason, port)
	}
}

// Sent implements portmon.Progress.
func (a *attempt) Sent(bytes int64) {
	a.early.onItsWay()
	a.spooler.cfg.Queue.SetProgress(a.job.ID, bytes)
}

// Waiting implements portmon.Progress.
func (a *attempt) Waiting(reason string) {
	a.spooler.mu.Lock()
	defer a.spooler.mu.Unlock()
	a.port.waiting = reason
}

var _ portmon.Progress = (*attempt)(nil)

// event adds to the host's event log.
func (s *Spooler) event(id eventlog.ID, severity eventlog.Severity, object, name, text string, related ...string) {
	s.cfg.Events.Add(eventlog.Event{
		ID: id, Severity: severity, Spooler: s.cfg.Name, Object: object, Name: name, Text: text, Related: related,
	})
}

func (s *Spooler) jobEvent(id eventlog.ID, severity eventlog.Severity, j *job.Job, text, port string, related ...string) {
	number := strconv.FormatUint(j.ID, 10)
	related = append(related, eventlog.Relation(eventlog.Printer, j.Printer))
	if port != "" {
		related = append(related, eventlog.Relation(eventlog.Port, port))
	}
	s.event(id, severity, eventlog.Job, number, "job "+number+" ("+spool.Quote(j.Title)+"): "+text, related...)
}
