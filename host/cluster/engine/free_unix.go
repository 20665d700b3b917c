//go:build linux || darwin

package engine

import "golang.org/x/sys/unix"

// freeSpace gives the bytes that may be written to a directory's file system.
func freeSpace(dir string) (n uint64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil || s.Blocks == 0 { // some count no blocks
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true //nolint:gosec // a block's size is positive
}
