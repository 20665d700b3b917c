package engine

import (
	"testing"
	"time"
)

// TestWish: the lead goes only to whom it has been meant for all the time.
func TestWish(t *testing.T) {
	var w wish
	for i, step := range []struct {
		node  string
		times int
		now   bool
	}{{"n2", 19, false}, {"n3", 19, false}, {"n3", 1, true}, {"", 40, false}, {"n3", 19, false}, {"n3", 1, true}} {
		for range step.times {
			if got := w.again(step.node); got != step.now {
				t.Errorf("step %d, %q: %v", i, step.node, got)
			}
		}
	}
}

// TestWishRests: after one time the next is a minute away at least.
func TestWishRests(t *testing.T) {
	w := wish{rest: restGiven}
	for i := range restGiven + 19 {
		if w.again("n2") {
			t.Fatalf("after %d looks", i)
		}
	}
	if !w.again("n2") || restGiven < 100 || restFailed < 10*restGiven {
		t.Error("never again")
	}
}

func TestElection(t *testing.T) {
	for lease, want := range map[time.Duration][2]uint{
		2 * time.Second: {50, 500}, 5 * time.Second: {50, 500}, 20 * time.Second: {200, 2000}, 5 * time.Minute: {500, 5000},
	} {
		if tick, timeout := election(lease); tick != want[0] || timeout != want[1] {
			t.Errorf("a lease of %v: %d and %d ms, want %v", lease, tick, timeout, want)
		}
	}
}
