package spooler

import "time"

// setTimer arranges that fn runs under s.mu after d, in place of what the timer was set
// for; s.mu is held.
func (s *Spooler) setTimer(t **time.Timer, d time.Duration, fn func()) {
	s.stopTimer(t)
	if s.stopping {
		return
	}
	*t = time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.stopping {
			fn()
		}
	})
}

func (s *Spooler) stopTimer(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

func (s *Spooler) stopTimers() {
	for _, p := range s.ports {
		s.stopTimer(&p.timer)
	}
	for _, u := range s.units {
		s.stopTimer(&u.timer)
	}
	for _, p := range s.printers {
		s.stopTimer(&p.timer)
	}
}
