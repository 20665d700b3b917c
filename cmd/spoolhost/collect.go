package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// collectLess lets the collector of a small host run less often: until so many bytes are
// in use memory is cheaper than processor time. It leaves a GOGC of the operator's alone.
func collectLess(ctx context.Context) {
	const enough, usual, most = 32 << 20, 100, 800
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		metrics.Read(live)
		if live[0].Value.Kind() != metrics.KindUint64 {
			return // of another Go
		}
		size := max(live[0].Value.Uint64(), 1)
		percent := usual
		if size < enough/2 {
			percent = int(min(100*(enough-size)/size, most))
		}
		debug.SetGCPercent(percent)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}
