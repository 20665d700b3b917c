package tcpmon

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// mostUnsent bounds the bytes that wait in this machine for a printer that takes none.
// Linux would grow its buffer to megabytes, and call a document sent whose printer
// stands without paper. What is on its way to the printer is not limited.
const mostUnsent = 128 << 10

// limitUnsent is a net.Dialer.Control. An older kernel without the option only counts
// less exactly.
func limitUnsent(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mostUnsent)
	})
}

// unacknowledged counts the bytes of the document that the printer has not acknowledged,
// or gives the error that broke the connection. It is for a connection whose writing
// end is closed: that end takes the last place in the queue, and is not counted.
func unacknowledged(conn *net.TCPConn) (n int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var broken int
	cerr := raw.Control(func(fd uintptr) {
		if broken, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && broken == 0 {
			n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		}
	})
	switch {
	case cerr != nil:
		return 0, cerr
	case broken != 0:
		return 0, syscall.Errno(broken)
	}
	return max(0, n-1), err
}
