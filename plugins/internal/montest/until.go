package montest

import (
	"testing"
	"time"
)

// patience is how long what must happen may take on a machine that is busy with other work.
const patience = 30 * time.Second

// Until waits until ok says yes, and fails the test when it never does.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("never: %s", what)
		}
	}
}
