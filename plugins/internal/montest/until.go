package montest

import (
	"context"
	"testing"
	"time"
)

// patience is how long what must happen may take on a machine that is busy with other work.
const patience = time.Minute

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

// InTime makes a call that returns shortly before its deadline, with more time for it where
// the machine is too busy for that.
func InTime(t testing.TB, call func(ctx context.Context) error) error {
	t.Helper()
	for _, d := range []time.Duration{300 * time.Millisecond, 3 * time.Second, 30 * time.Second} {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		err := call(ctx)
		late := ctx.Err() != nil
		if cancel(); !late {
			return err
		}
	}
	t.Fatal("it returns after its deadline")
	return nil
}
