package spool

import (
	"errors"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendOnce bounds one sendfile, so that a deadline is noticed between two.
const sendOnce = 4 << 20

// send has the kernel copy what is left to a connection. It is not done if the kernel
// cannot do that for these two.
func (r *DocumentReader) send(conn syscall.Conn) (sent int64, done bool, err error) {
	to, err := conn.SyscallConn()
	if err != nil {
		return 0, true, err
	}
	from, err := r.file.SyscallConn()
	if err != nil {
		return 0, true, err
	}
	var failure error
	err = to.Write(func(dst uintptr) (ready bool) {
		inner := from.Control(func(src uintptr) { ready, failure = r.sendAll(int(dst), int(src), &sent) })
		if inner != nil {
			ready, failure = true, inner
		}
		return ready
	})
	if failure != nil {
		err = failure
	}
	if sent == 0 && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)) {
		return 0, false, nil
	}
	return sent, true, err
}

// sendAll sends until all is sent, something fails, or the connection is full: then it is
// not ready.
func (r *DocumentReader) sendAll(dst, src int, sent *int64) (ready bool, err error) {
	for r.Len() > 0 {
		off := r.off
		n, err := unix.Sendfile(dst, src, &off, int(min(r.Len(), sendOnce)))
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false, nil
		case err != nil:
			return true, err
		case n <= 0:
			return true, io.ErrUnexpectedEOF // the file is shorter than the document
		}
		r.off += int64(n)
		*sent += int64(n)
	}
	return true, nil
}
