package wire

import (
	"os"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"
)

// parentDied is the signal by which the kernel tells the module that its host is gone: a
// real-time signal that no library uses.
const parentDied = unix.Signal(50)

// init keeps main on the first thread, whose parent-death signal the launcher has set,
// until dieWithParent can set it anew there. It does nothing in a process that is no module.
func init() { //nolint:gochecknoinits // later the first thread cannot be had for sure
	if os.Getenv(CookieKey) == CookieValue {
		runtime.LockOSThread()
	}
}

// dieWithParent ends the whole process group when the launcher's thread ends, which lives
// as long as the host. Until here that signal was SIGKILL, which leaves what the module
// has started alive.
func dieWithParent() {
	died := make(chan os.Signal, 1)
	signal.Notify(died, parentDied)
	// This goroutine's owner is the process: it ends only by ending it.
	go func() {
		<-died
		endGroup()
		os.Exit(1)
	}()
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(parentDied), 0, 0, 0)
	runtime.UnlockOSThread()
}
