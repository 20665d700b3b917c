package access

import (
	"bufio"
	"bytes"
	"fmt"
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

// loopbackUID asks the kernel for the caller's socket: on loopback both ends are sockets of
// this machine, and the kernel names the owner of each, by sock_diag(7) or else in a table.
func loopbackUID(c *net.TCPConn) (int64, error) {
	local, err1 := netip.ParseAddrPort(c.LocalAddr().String())
	remote, err2 := netip.ParseAddrPort(c.RemoteAddr().String())
	if err1 != nil || err2 != nil || !remote.Addr().Unmap().IsLoopback() {
		return -1, spoolerr.New(spoolerr.Denied, 0, "the caller is not on this machine")
	}
	if uid, found := askKernel(remote, local); found {
		return uid, nil
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
	return -1, spoolerr.New(spoolerr.NotFound, 0, "the kernel does not know the caller's socket; it may have hung up")
}

// established is the state of a connection that both ends hold open. In every later state
// the socket may belong to no process any more, and then the table says uid 0: a caller
// who hung up must not be taken for root.
const established = "01"

// findSocket reads a table of proc_net_tcp(5): sl local remote st queues tr retr uid ...
// Thousands of its lines may be of others: those are looked at, and not taken apart.
func findSocket(r io.Reader, local, remote netip.AddrPort) (uid int64, found bool) {
	ends := []byte(" " + inTable(local, false) + " " + inTable(remote, false) + " ")
	ends6 := []byte(" " + inTable(local, true) + " " + inTable(remote, true) + " ")
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), ends) && !bytes.Contains(lines.Bytes(), ends6) {
			continue
		}
		f := strings.Fields(lines.Text())
		if len(f) < 8 {
			return 0, false
		}
		uid, err := strconv.ParseInt(f[7], 10, 32)
		return uid, err == nil && uid >= 0 && f[3] == established
	}
	return 0, false
}

// inTable gives an address as the table has it: 32-bit words in the machine's byte order, in
// hexadecimal, a colon, and the port. The table of IPv6 has those of IPv4 too.
func inTable(addr netip.AddrPort, v6 bool) string {
	ip := addr.Addr().Unmap()
	b := ip.AsSlice()
	if all := ip.As16(); v6 {
		b = all[:]
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	return fmt.Sprintf("%X:%04X", b, addr.Port())
}
