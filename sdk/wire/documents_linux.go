package wire

import (
	"encoding/binary"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// NewDocumentSocket makes the two ends of a socket for documents: the host keeps one and
// has the module inherit the other.
func NewDocumentSocket() (host *DocumentSender, module *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, spoolerr.As(err, spoolerr.Exhausted, "no socket for documents")
	}
	module = os.NewFile(uintptr(fds[1]), "documents")
	conn, err := unixConn(os.NewFile(uintptr(fds[0]), "documents"))
	if err != nil {
		_ = module.Close()
		return nil, nil, err
	}
	return &DocumentSender{conn: conn}, module, nil
}

// unixConn takes a descriptor over.
func unixConn(f *os.File) (*net.UnixConn, error) {
	defer func() { _ = f.Close() }()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "the socket for documents")
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, spoolerr.New(spoolerr.Invalid, 0, "descriptor %s is no socket for documents", f.Name())
	}
	return conn, nil
}

// DocumentSender is the host's end of a socket for documents.
type DocumentSender struct{ conn *net.UnixConn }

// Send sends a descriptor under a number. A module that takes none fills the socket, and
// then this fails after a short while.
func (s *DocumentSender) Send(number uint64, f *os.File) error {
	const patience = time.Second
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(patience))
	var sendErr error
	err = raw.Control(func(fd uintptr) {
		_, _, sendErr = s.conn.WriteMsgUnix(binary.BigEndian.AppendUint64(nil, number), unix.UnixRights(int(fd)), nil)
	})
	if err == nil {
		err = sendErr
	}
	return spoolerr.As(err, spoolerr.Unavailable, "the socket for documents")
}

// Close ends the socket.
func (s *DocumentSender) Close() error { return s.conn.Close() }

// inheritedDocuments gives the module's end, or nil if the launcher gave none.
func inheritedDocuments() *Documents {
	fd, err := strconv.Atoi(os.Getenv(EnvDocuments))
	if err != nil || fd < 3 {
		return nil
	}
	conn, err := unixConn(os.NewFile(uintptr(fd), "documents"))
	if err != nil {
		return nil
	}
	return &Documents{conn: receiver{conn}}
}

type receiver struct{ *net.UnixConn }

func (r receiver) receive(p []byte) (n int, file *os.File, err error) {
	rights := make([]byte, unix.CmsgSpace(4))
	n, used, _, _, err := r.ReadMsgUnix(p, rights)
	if err != nil {
		return 0, nil, err
	}
	if n == 0 && used == 0 {
		return 0, nil, net.ErrClosed // the host has closed its end
	}
	messages, err := unix.ParseSocketControlMessage(rights[:used])
	if err != nil || len(messages) == 0 {
		return n, nil, nil
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return n, nil, nil
	}
	return n, os.NewFile(uintptr(fds[0]), "document"), nil
}
