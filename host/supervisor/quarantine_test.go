package supervisor

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestQuarantine: a module that fails at every start is given up, and tried again only
// when an operator asks.
func TestQuarantine(t *testing.T) {
	starts := make(chan struct{}, 100)
	gaveUp := make(chan error, 1)
	clock := time.Unix(0, 0)
	s := New(Config[*Process]{
		Start: func(context.Context) (*Process, error) {
			starts <- struct{}{}
			return nil, errors.New("broken")
		},
		Waiting:     func(error, time.Duration) {},
		Quarantined: func(err error) { gaveUp <- err },
		Backoff:     Backoff{Base: 1, Max: 1, HalfLife: time.Minute, Limit: 3},
		Now:         func() time.Time { return clock },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	for range 2 { // once by itself, once after Restart
		if err := <-gaveUp; err == nil || err.Error() != "broken" {
			t.Errorf("given up for %v", err)
		}
		if len(starts) != 3 {
			t.Errorf("%d starts before it was given up, want 3", len(starts))
		}
		for range len(starts) {
			<-starts
		}
		s.Restart()
	}
	<-gaveUp
	cancel()
	<-done
}

// TestWorkWeighsAgainstFailures: a module that prints between its failures is not given up.
func TestWorkWeighsAgainstFailures(t *testing.T) {
	b := Backoff{Base: 1, Max: 1, HalfLife: time.Hour, Limit: 3}
	for range 100 {
		b.Eased()
		b.Failed(0, 0.5)
		if b.Exhausted() {
			t.Fatal("given up although it works in between")
		}
	}
}
