//go:build unix

package share

import "syscall"

const errDiskFull = syscall.ENOSPC
