package spooler

import (
	"context"
	"errors"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// claim is a port that was idle when a document for it had come: that the job is there and
// that its first attempt begins are one commit. A port that is not idle, or has to be opened
// first, goes the way of the scheduler.
type claim struct {
	spooler *Spooler
	port    *port
	rules   job.Rules
	record  job.Attempt
	doc     *document.Document
}

// errAskedBefore ends an attempt that somebody has asked to stop before it ran.
var errAskedBefore = errors.New("asked while the document was accepted")

// claim reserves a port that may print the job at once; nil if there is none.
func (s *Spooler) claim(ctx context.Context, j job.Job) *claim {
	c := s.reserveIdle(j)
	if c == nil {
		return nil
	}
	var err error
	if c.doc, err = s.cfg.Documents.Open(ctx, j.Document); err != nil {
		c.giveUp() // the scheduler's way says what is wrong with it
		return nil
	}
	return c
}

func (s *Spooler) reserveIdle(j job.Job) *claim {
	// Of a cluster's commit it may be unknown whether it took place; then nobody printed the job.
	if !s.cfg.Local || j.State != "" || j.StartTime != j.UntilTime || !j.NotBefore.IsZero() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pr := s.lookup(j.Printer)
	if !s.mayStart() || pr == nil || pr.Paused || !s.printsNow(pr) {
		return nil
	}
	for _, name := range pr.Ports {
		p := s.ports[spool.Fold(name)]
		if p == nil || p.open == nil || p.stale || !s.usable(p) {
			continue
		}
		if _, waiting := s.next(p); waiting != nil {
			continue // it is about to be taken, and comes first
		}
		p.reserve()
		s.background.Add(1)
		return &claim{spooler: s, port: p, rules: pr.Rules, record: p.record()}
	}
	return nil
}

// starting is what the queue begins together with the job.
func (c *claim) starting() *job.Attempt {
	if c == nil {
		return nil
	}
	return &c.record
}

// begin prints the job, whose attempt is recorded.
func (c *claim) begin(j *job.Job) {
	if c == nil {
		return
	}
	s := c.spooler
	s.mu.Lock()
	c.port.job = j.ID
	a := s.newAttempt(c.port, c.rules, j)
	a.doc = c.doc
	// It may have been cancelled before anybody could know that it runs.
	if now := s.cfg.Queue.Latest(j.ID); now != nil {
		s.stopAsked(now, errAskedBefore)
	}
	s.mu.Unlock()
	a.started(j)
	go s.runAttempts(c.port, a)
}

// giveUp lets the port go; a job that has come meanwhile gets it.
func (c *claim) giveUp() {
	if c == nil {
		return
	}
	if c.doc != nil {
		_ = c.doc.Close()
	}
	c.spooler.release(c.spooler.lifetime(), c.port)
	c.spooler.background.Done()
}
