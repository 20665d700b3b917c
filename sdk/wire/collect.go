package wire

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// CollectLess lets the garbage collector of a small process run less often: up to a heap of
// so many bytes, memory is cheaper than processor time. While the process starts it is half
// of that: it may be about to need much. A heap of which more than a quarter is in use is
// collected as usual. It leaves a GOGC of the operator's alone, and goes on until ctx ends.
func CollectLess(ctx context.Context, heap uint64) {
	const (
		usual, most = 100, 400
		started     = time.Second
	)
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	set := usual
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		metrics.Read(live)
		if live[0].Value.Kind() != metrics.KindUint64 {
			return // of another Go
		}
		percent, goal := usual, heap
		if pause < started {
			goal /= 2
		}
		if size := max(live[0].Value.Uint64(), 1); size < heap/4 {
			percent = int(min(100*(goal-size)/size, most))
		}
		if percent != set { // it stops all goroutines for a moment
			debug.SetGCPercent(percent)
			set = percent
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}
