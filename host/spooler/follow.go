package spooler

import (
	"context"
	"fmt"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// A port with a queue goes from one document to the next: the end of the one and the
// beginning of the other are one commit. Only a port in good order does, after a document
// that has printed as a whole; else it is released, and the scheduler looks.

// follower takes the job that the port would print next, and opens its document; nil if
// there is none, or if the port has to be released first.
func (a *attempt) follower(ctx context.Context, r job.Result) *attempt {
	if r.Outcome != job.Sent || len(a.job.Documents) > 1 || a.job.Copies > 1 || a.spooler.recovers() > 0 {
		return nil
	}
	next := a.takeNext()
	if next == nil {
		return nil
	}
	doc, err := next.document(ctx)
	if err != nil {
		next.giveBack() // the scheduler's way says what is wrong with it
		return nil
	}
	next.doc = doc
	return next
}

func (a *attempt) takeNext() *attempt {
	s, p := a.spooler, a.port
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || p.stale || p.open == nil || p.unit != p.holder || !p.listed || !p.unit.ready() || p.status.Severity == spool.SeverityError {
		return nil
	}
	pr, j := s.next(p)
	if j == nil || j.ID == a.job.ID || j.Spooling || !s.cfg.Queue.Take(j.ID) {
		return nil
	}
	p.job = j.ID
	return s.newAttempt(p, pr.Rules, j)
}

// starting is what the queue begins together with the end of the document before.
func (a *attempt) starting() *job.Start {
	if a == nil {
		return nil
	}
	return &job.Start{ID: a.job.ID, Printer: a.job.Printer, Attempt: a.record()}
}

// started notes that the attempt has begun.
func (a *attempt) started(begun *job.Job) {
	s := a.spooler
	s.mu.Lock()
	a.job = begun
	s.mu.Unlock()
	s.jobEvent(eventlog.JobAttemptStarted, eventlog.Info, begun,
		fmt.Sprintf("attempt %d began at port %s", begun.Current().Number, spool.Quote(a.port.name)), a.port.name)
}

// giveBack undoes takeNext: the job waits again, and whoever is free may have it.
func (a *attempt) giveBack() {
	if a == nil {
		return
	}
	s := a.spooler
	a.closeDocument()
	a.over()
	s.cfg.Queue.Return(a.job.ID)
	s.kick(a.job.Printer)
}

// over ends what newAttempt began.
func (a *attempt) over() {
	s := a.spooler
	a.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[a.job.ID] == a { // else the job prints again already, at another port
		delete(s.running, a.job.ID)
	}
}

func (a *attempt) closeDocument() {
	if a.doc != nil {
		_ = a.doc.Close()
		a.doc = nil
	}
	a.early.onItsWay()
	a.early = nil
}
