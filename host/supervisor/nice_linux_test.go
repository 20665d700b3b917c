package supervisor

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A module comes after the host where both want the processor; the host stays as it is.
func TestModulesGiveWay(t *testing.T) {
	p := start(t, newEnv(t), "monitor")
	module, err := unix.Getpriority(unix.PRIO_PROCESS, p.PID)
	check(t, err)
	host, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // of this thread, which is not the launcher's
	check(t, err)
	if want := max(host-5, 1); module != want { // 20 less the nice value
		t.Errorf("the module has priority %d, the host %d; want %d", module, host, want)
	}
}
