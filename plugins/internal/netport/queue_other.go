//go:build !linux

package netport

import (
	"net"
	"syscall"
)

// limitUnsent has no counterpart here.
func limitUnsent(_, _ string, _ syscall.RawConn) error { return nil }

// reuseAddress is not needed here: what is in use is passed over.
func reuseAddress(_, _ string, _ syscall.RawConn) error { return nil }

// Unacknowledged is not known here: the printer's answer has to do.
func Unacknowledged(*net.TCPConn) (int, error) { return 0, nil }

// Gone is not known here.
func (r Remote) Gone(*net.TCPConn) bool { return false }
