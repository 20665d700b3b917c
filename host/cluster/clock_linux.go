package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the time since the machine was started, sleep included: what a lease at
// other machines is measured by. Nobody can set it.
func monotonic() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("cluster: the system has no CLOCK_BOOTTIME: " + err.Error()) // every Linux since 2.6.39
	}
	return time.Duration(t.Nano())
}
