//go:build unix

package store

import (
	"os"
	"syscall"
)

// unlock gives bbolt's lock back. Closing the file would not: memory that is still
// mapped keeps the lock alive.
func unlock(file *os.File) {
	_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
}
