//go:build !linux

package cluster

import (
	"sync"
	"time"
)

// monotonic is the time since the first call, by a clock that nobody can set.
func monotonic() time.Duration { return time.Since(origin()) }

var origin = sync.OnceValue(time.Now) //nolint:gochecknoglobals // where the clock begins
