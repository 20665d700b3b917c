package dial

import (
	"errors"
	"net"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Explain gives an error of a connection, which gRPC tells in terms of sockets and frames, in
// the words of somebody who chose the address. Errors of the host at its other end stay.
func Explain(address string, err error) error {
	st, ok := status.FromError(err)
	if err == nil || !ok || len(st.Details()) > 0 {
		return err
	}
	_, why, unreached := strings.Cut(strings.TrimSuffix(st.Message(), `"`), "Error while dialing: ")
	switch {
	case st.Code() == codes.Unavailable && strings.Contains(st.Message(), errNoHost.Error()):
		return withoutTLS(address)
	case st.Code() == codes.Unavailable && unreached:
		return spoolerr.New(spoolerr.Unavailable, 0, "it cannot be reached: %s", why)
	case st.Code() == codes.DeadlineExceeded:
		return spoolerr.New(spoolerr.TimedOut, 0, "it did not answer in time")
	}
	return err
}

// withoutTLS is the error of an address without TLS where no host speaks like that.
func withoutTLS(address string) error {
	if strings.HasPrefix(address, "unix:") {
		return spoolerr.New(spoolerr.Unavailable, 0, "what listens at %s ended the connection before it said what it is; is it the socket of a host that runs?", address)
	}
	return spoolerr.New(spoolerr.Unavailable, 0, "what listens at %s is no host that speaks without TLS; if it is a host's tls: listener, its address is tls:%s", address, address)
}

// errNoHost is in the text of whatever gRPC makes of it.
var errNoHost = errors.New("the other end has not begun to speak HTTP/2")

// unheard is a connection without TLS. Its errors are errNoHost until its other end has begun
// as a server of HTTP/2 does, with a frame SETTINGS.
type unheard struct {
	net.Conn
	read  int // by the one goroutine that reads
	begun atomic.Bool
}

// Read implements net.Conn.
func (c *unheard) Read(b []byte) (int, error) {
	const typeAt, settings = 3, 4 // of a frame
	n, err := c.Conn.Read(b)
	if c.begun.Load() {
		return n, err
	}
	if at := typeAt - c.read; at < n {
		if b[at] != settings {
			return 0, errNoHost
		}
		c.begun.Store(true)
		return n, err
	}
	if c.read += n; err != nil {
		err = errNoHost
	}
	return n, err
}

// Write implements net.Conn.
func (c *unheard) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil && !c.begun.Load() {
		err = errNoHost
	}
	return n, err
}
