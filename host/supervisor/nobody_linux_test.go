package supervisor

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// asNobody makes the rest of the test access files as an ordinary user, also if root runs
// it: root reads everything. The thread is not given back, and ends with the test.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	runtime.LockOSThread()
	const nobody = 65534
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
}
