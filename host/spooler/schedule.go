package spooler

import (
	"github.com/spoolhost/spoolhost/host/job"
)

// dispatchPrinter brings jobs of a printer to its free ports; s.mu is held.
func (s *Spooler) dispatchPrinter(pr *printer) {
	for _, name := range pr.Ports {
		s.dispatchPort(s.port(name))
	}
}

// dispatchPort starts the next job at a port, if both are there; s.mu is held. Its cost
// follows the printers of this port, not those of the spooler.
func (s *Spooler) dispatchPort(p *port) {
	if !s.mayStart() || !s.usable(p) {
		return
	}
	for {
		pr, j := s.next(p)
		if j == nil {
			return
		}
		if !s.cfg.Queue.Take(j.ID) {
			continue // somebody else took or changed it: look again
		}
		p.reserve()
		p.job = j.ID
		s.startAttempt(p, pr, j)
		return
	}
}

// mayStart says whether any document may start now; s.mu is held.
func (s *Spooler) mayStart() bool { return !s.stopping && !s.suspended && s.runCtx != nil }

// next chooses among the printers of a port: printer's priority, then job's, then age.
func (s *Spooler) next(p *port) (*printer, *job.Job) {
	var bestPrinter *printer
	var best *job.Job
	for _, pr := range p.printers {
		if pr.Paused || !s.printsNow(pr) {
			continue
		}
		j, ok := s.cfg.Queue.Peek(pr.Name)
		if !ok {
			s.wakeForJobs(pr)
			continue
		}
		if best == nil || pr.Priority > bestPrinter.Priority || pr.Priority == bestPrinter.Priority && job.Before(j, best) {
			bestPrinter, best = pr, j
		}
	}
	return bestPrinter, best
}

// printsNow says whether the printer's hours are open, and else sets its timer.
func (s *Spooler) printsNow(pr *printer) bool {
	wait := job.UntilWindow(pr.StartTime, pr.Until, s.cfg.Now())
	if wait > 0 {
		s.setTimer(&pr.timer, wait, func() { s.dispatchPrinter(pr) })
	}
	return wait == 0
}

// wakeForJobs sets the printer's timer for the first job that waits for its own hours.
func (s *Spooler) wakeForJobs(pr *printer) {
	if wait := s.cfg.Queue.NextOpening(pr.Name); wait > 0 {
		s.setTimer(&pr.timer, wait, func() { s.dispatchPrinter(pr) })
	}
}

// kick looks for work for a printer by name.
func (s *Spooler) kick(printer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pr := s.lookup(printer); pr != nil {
		s.dispatchPrinter(pr)
	}
}
