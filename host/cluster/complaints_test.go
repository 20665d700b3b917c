package cluster

import (
	"fmt"
	"testing"
	"time"
)

// TestComplaints: the same is said once a minute, something else at once, and all again
// after it was over.
func TestComplaints(t *testing.T) {
	var c complaints
	if c.forget() {
		t.Error("something was said")
	}
	for i, step := range []struct {
		text string
		at   time.Duration
		want bool
	}{
		{"a", 0, true}, {"a", 2 * time.Second, false}, {"b", 3 * time.Second, true}, {"a", 59 * time.Second, false},
		{"a", time.Minute, true}, {"a", 61 * time.Second, false}, {"b", 61 * time.Second, false}, {"b", 63 * time.Second, true},
	} {
		if got := c.may(step.text, step.at); got != step.want {
			t.Errorf("step %d: %t", i, got)
		}
	}
	if !c.forget() || !c.may("a", 64*time.Second) {
		t.Error("it is not said again")
	}
	for i := range 10 * mostComplaints {
		c.may(fmt.Sprint(i), 0)
	}
	if len(c.said) > mostComplaints {
		t.Errorf("%d texts are kept", len(c.said))
	}
}
