package spooler

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestTakeTurn: the ports of a spooler that was taken over print on at a pace for a while,
// those of the node's own never do, and an end waits for nobody.
func TestTakeTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Spooler{cfg: Config{Now: time.Now}, began: time.Now(), recovery: newRecovery(), ending: make(chan struct{})}
		turns := func(n int) time.Duration {
			began := time.Now()
			for range n {
				s.takeTurn()
			}
			return time.Since(began)
		}
		if took, want := turns(110), time.Second; took < want*9/10 || took > want*11/10 {
			t.Errorf("110 turns took %s, want %s", took, want)
		}
		s.began = s.began.Add(-recovering)
		if took := turns(1000); took != 0 {
			t.Errorf("after the recovery 1000 turns took %s", took)
		}
		s.began = time.Now()
		close(s.ending)
		if took := turns(1000); took != 0 {
			t.Errorf("at its end 1000 turns took %s", took)
		}
		s.ending, s.cfg.Local = make(chan struct{}), true
		if took := turns(1000); took != 0 {
			t.Errorf("1000 turns of the node's own spooler took %s", took)
		}
	})
}
