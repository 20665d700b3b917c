package wire

import (
	"golang.org/x/sys/unix"
)

// dieWithParent asks the kernel for SIGKILL when the thread that started this process
// ends; the launcher keeps that thread as long as the host lives.
func dieWithParent() {
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}
