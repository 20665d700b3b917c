package access

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The messages of sock_diag(7) for one socket: a header of netlink(7), then inet_diag_req_v2;
// the answer is a header and inet_diag_msg. Ports and addresses are in network byte order,
// all else is in the machine's.
const (
	diagRequestLen = unix.NLMSG_HDRLEN + 56
	diagAnswerLen  = unix.NLMSG_HDRLEN + 72
	diagByFamily   = 20 // SOCK_DIAG_BY_FAMILY
	diagUID        = unix.NLMSG_HDRLEN + 64
	diagState      = unix.NLMSG_HDRLEN + 1
	diagPorts      = unix.NLMSG_HDRLEN + 4 // the first field of inet_diag_sockid
)

// askKernel asks for the owner of the socket from local to remote. Unlike the tables in /proc
// it costs the same however many sockets there are. Not every kernel can be asked.
func askKernel(local, remote netip.AddrPort) (uid int64, found bool) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, false
	}
	defer func() { _ = unix.Close(fd) }()
	// The kernel answers before Sendto returns, so that there is nothing to wait for.
	err = errors.Join(unix.SetNonblock(fd, true), unix.Sendto(fd, diagRequest(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	if err != nil {
		return 0, false
	}
	answer := make([]byte, 4<<10)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return 0, false
	}
	return diagOwner(answer[:n], local, remote)
}

func diagRequest(local, remote netip.AddrPort) []byte {
	b := make([]byte, diagRequestLen)
	native := binary.NativeEndian
	native.PutUint32(b, diagRequestLen)
	native.PutUint16(b[4:], diagByFamily)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST)
	body := b[unix.NLMSG_HDRLEN:]
	body[0], body[1] = unix.AF_INET6, unix.IPPROTO_TCP
	if local.Addr().Unmap().Is4() {
		body[0] = unix.AF_INET // which finds sockets of IPv6 with addresses of IPv4 too
	}
	native.PutUint32(body[4:], ^uint32(0)) // in every state
	id := body[8:]
	binary.BigEndian.PutUint16(id, local.Port())
	binary.BigEndian.PutUint16(id[2:], remote.Port())
	copy(id[4:20], local.Addr().Unmap().AsSlice())
	copy(id[20:36], remote.Addr().Unmap().AsSlice())
	native.PutUint64(id[40:], ^uint64(0)) // INET_DIAG_NOCOOKIE, twice
	return b
}

// diagOwner reads the answer. For a socket that is not there the kernel may give one that
// listens at the same port.
func diagOwner(answer []byte, local, remote netip.AddrPort) (uid int64, found bool) {
	const established = 1 // TCP_ESTABLISHED; see the table's
	native := binary.NativeEndian
	if len(answer) < diagAnswerLen || native.Uint16(answer[4:]) != diagByFamily || answer[diagState] != established {
		return 0, false
	}
	ports := answer[diagPorts:]
	if binary.BigEndian.Uint16(ports) != local.Port() || binary.BigEndian.Uint16(ports[2:]) != remote.Port() {
		return 0, false
	}
	owner := native.Uint32(answer[diagUID:])
	return int64(owner), owner != ^uint32(0)
}
