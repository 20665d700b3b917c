package access

import (
	"bufio"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// PeerUID asks the kernel who owns the other end of a connection.
func PeerUID(conn net.Conn) (int64, error) {
	switch c := conn.(type) {
	case *net.UnixConn:
		return unixUID(c)
	case *net.TCPConn:
		return loopbackUID(c)
	}
	return -1, spoolerr.New(spoolerr.Unsupported, 0, "no credentials on a %T", conn)
}

func unixUID(c *net.UnixConn) (int64, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return -1, err
	}
	if credErr != nil {
		return -1, credErr
	}
	return int64(cred.Uid), nil
}

// loopbackUID finds the caller's socket in the kernel's table: on loopback both ends are
// sockets of this machine, and the table names the owner of each.
func loopbackUID(c *net.TCPConn) (int64, error) {
	local, err1 := netip.ParseAddrPort(c.LocalAddr().String())
	remote, err2 := netip.ParseAddrPort(c.RemoteAddr().String())
	if err1 != nil || err2 != nil || !remote.Addr().Unmap().IsLoopback() {
		return -1, spoolerr.New(spoolerr.Denied, 0, "the caller is not on this machine")
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		uid, found := findSocket(f, remote, local)
		_ = f.Close()
		if found {
			return uid, nil
		}
	}
	return -1, spoolerr.New(spoolerr.NotFound, 0, "the caller's socket is not in the kernel's table")
}

// established is the state of a connection that both ends hold open. In every later state
// the socket may belong to no process any more, and then the table says uid 0: a caller
// who hung up must not be taken for root.
const established = "01"

// findSocket reads a table of proc_net_tcp(5): sl local remote st queues tr retr uid ...
func findSocket(r io.Reader, local, remote netip.AddrPort) (uid int64, found bool) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 || !sameAddr(f[1], local) || !sameAddr(f[2], remote) {
			continue
		}
		uid, err := strconv.ParseInt(f[7], 10, 32)
		return uid, err == nil && uid >= 0 && f[3] == established
	}
	return 0, false
}

// sameAddr compares with the table's form: 32-bit words in the machine's byte order, in
// hexadecimal, a colon, and the port.
func sameAddr(text string, want netip.AddrPort) bool {
	addr, port, ok := strings.Cut(text, ":")
	if !ok {
		return false
	}
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil || uint16(p) != want.Port() {
		return false
	}
	b, err := hex.DecodeString(addr)
	if err != nil || len(b)%4 != 0 {
		return false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4]) // the table is in little-endian words
	}
	ip, ok := netip.AddrFromSlice(b)
	return ok && ip.Unmap() == want.Addr().Unmap()
}
