// Package poll is for tests that wait for what nothing tells of.
//
// Tests of the host's packages import it. It knows nothing of hosts and modules, so that
// those of every layer can.
package poll

import (
	"testing"
	"time"
)

// Patience bounds every wait: a test that needs it, on a machine however busy, has failed.
const Patience = 90 * time.Second

// Until waits until ok, or fails the test.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !OK(ok) {
		t.Fatalf("never: %s", what)
	}
}

// OK waits until ok, and says whether it ever was; for who can say more about it then. It
// asks less often after a while: some questions are work.
func OK(ok func() bool) bool {
	limit := time.Now().Add(Patience)
	pause := time.Millisecond
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for !ok() {
		if time.Now().After(limit) {
			return false
		}
		<-timer.C
		pause = min(2*pause, 16*time.Millisecond)
		timer.Reset(pause)
	}
	return true
}
