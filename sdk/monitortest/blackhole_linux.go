package monitortest

import (
	"net"
	"strconv"
	"sync"
	"syscall"
)

func newBlackHole() (*blackHole, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	shut := sync.OnceValue(func() error { return syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		_ = shut()
		return nil, err
	}
	if err := syscall.Listen(fd, 0); err != nil {
		_ = shut()
		return nil, err
	}
	name, err := syscall.Getsockname(fd)
	at, ok := name.(*syscall.SockaddrInet4)
	if err != nil || !ok {
		_ = shut()
		return nil, err
	}
	b := &blackHole{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port)), close: shut}
	b.fill()
	return b, nil
}
