package spooler

import (
	"time"

	"golang.org/x/time/rate"
)

// While nobody owned a cluster spooler its documents were accepted all the same. Whoever
// takes it over has them all to print, with the processor and the disks that are to accept
// what clients send meanwhile: for a while the ports take turns, so that nobody has to wait
// long for the id of a job because others' documents are late.

const (
	// recovering is how long the ports of a spooler that was taken over take turns.
	recovering = 3 * time.Second
	// recoveryRate is how many documents they end in a second then, after recoveryBurst.
	recoveryRate, recoveryBurst = 100, 10
)

func newRecovery() *rate.Limiter { return rate.NewLimiter(recoveryRate, recoveryBurst) }

// recovers says how long the ports go on taking turns; 0 if they do not.
func (s *Spooler) recovers() time.Duration {
	if s.cfg.Local {
		return 0
	}
	return max(0, recovering-s.cfg.Now().Sub(s.began))
}

// takeTurn waits until a port that has ended a document may have another one. The spooler's
// end does not wait for it.
func (s *Spooler) takeTurn() {
	most := s.recovers()
	if most == 0 {
		return
	}
	s.pause(min(s.recovery.Reserve().Delay(), most))
}

// pause waits, but not beyond the spooler's end.
func (s *Spooler) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ending:
	}
}
