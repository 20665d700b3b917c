package netport

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mostUnsent bounds the bytes that wait in this machine for a printer that takes none.
// Linux would grow its buffer to megabytes, and call a document sent whose printer
// stands without paper. What is on its way to the printer is not limited.
const mostUnsent = longDocument

// limitUnsent is a control. An older kernel without the option only counts less exactly.
func limitUnsent(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mostUnsent)
	})
}

// reuseAddress lets a source port be taken again that a connection to another printer
// used a minute ago.
func reuseAddress(_, _ string, c syscall.RawConn) (err error) {
	cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
	if err == nil {
		err = cerr
	}
	return err
}

// Unacknowledged counts the bytes that the printer has not acknowledged, or gives the
// error that broke the connection. A closed writing end takes a place in the queue, and
// is counted.
func Unacknowledged(conn *net.TCPConn) (n int, err error) {
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
	return n, err
}

// Gone says that the printer has answered nothing for four keep-alive times although it
// was asked: it was switched off, or cut off. Keep-alive probes do not run while data
// waits, and TCP_USER_TIMEOUT would also end a printer that stands without paper but
// answers; so the kernel is asked when it last heard of the printer.
func (r Remote) Gone(conn *net.TCPConn) bool {
	if r.KeepAlive == 0 {
		return false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var info *unix.TCPInfo
	if raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }) != nil || err != nil {
		return false
	}
	return silent(info, probes*r.KeepAlive)
}

// silent says that nothing came for patience, and that several questions are open:
// segments sent again, or probes of a closed window.
func silent(info *unix.TCPInfo, patience time.Duration) bool {
	const questions = 2
	asked := info.Retransmits >= questions || info.Probes >= questions
	return asked && time.Duration(info.Last_ack_recv)*time.Millisecond >= patience
}
