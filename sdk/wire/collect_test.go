package wire

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// TestCollectLess: a small heap is collected less often, unless the operator says how often.
func TestCollectLess(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	ctx, cancel := context.WithCancel(t.Context())
	t.Setenv("GOGC", "100")
	CollectLess(ctx, 1<<30) // returns
	if got := gcPercent(); got != 100 {
		t.Fatalf("GOGC is %d, although the operator said 100", got)
	}
	t.Setenv("GOGC", "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		CollectLess(ctx, 1<<30)
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for gcPercent() <= 100 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("a small heap is collected as often as ever")
		}
	}
	cancel()
	<-done
}

func gcPercent() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
