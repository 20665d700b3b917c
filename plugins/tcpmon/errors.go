package tcpmon

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// unavailable is a failure of the printer or the way to it.
func unavailable(cause error, code spoolerr.Code, format string, args ...any) error {
	e := spoolerr.New(spoolerr.Unavailable, code, format, args...)
	e.Err = cause
	return e
}

// connectError words why a printer cannot be reached: each reason has its own remedy.
func connectError(ctx context.Context, s settings, err error) error {
	var dns *net.DNSError
	switch {
	case ctx.Err() != nil:
		return spoolerr.Wrap(ctx.Err(), "connecting to %s was given up", s.address())
	case errors.As(err, &dns):
		return lookupError(s, dns)
	case errors.Is(err, syscall.ECONNREFUSED):
		return unavailable(err, spoolerr.CodeConnectionRefused,
			"%s refuses the connection; check that the printer is ready, that raw printing is on, and that no other host holds it", s.address())
	case isTimeout(err):
		return unavailable(err, spoolerr.CodeTimeout,
			"%s did not answer within %s; check that the printer is on and in the network, and the settings host and port", s.address(), s.connectTimeout)
	}
	return unavailable(err, spoolerr.CodeNotConnected,
		"%s cannot be reached; check the network between this host and the printer", s.address())
}

func lookupError(s settings, err *net.DNSError) error {
	if err.IsTimeout {
		return unavailable(err, spoolerr.CodeTimeout,
			"the name %s (for %s) was not looked up in time; check this host's name servers", spool.Quote(s.host), s.address())
	}
	return unavailable(err, spoolerr.CodeNotConnected,
		"the name %s (for %s) is not known; correct the setting host, or check this host's name servers", spool.Quote(s.host), s.address())
}

// closedHere is a connection that Close or Shutdown ended.
func closedHere(address string, sent int64) error {
	return spoolerr.New(spoolerr.BadHandle, 0, "the port was closed after %d bytes to %s; open it again", sent, address)
}

// lost is a connection that broke inside a document.
func lost(address string, sent int64, err error) error {
	if errors.Is(err, net.ErrClosed) {
		return closedHere(address, sent)
	}
	return unavailable(err, spoolerr.CodeWriteFault,
		"the connection to %s broke after %d bytes; check the printer's panel, the rest of the document is not printed", address, sent)
}

// tailLost is a connection that broke when every byte was on its way.
func tailLost(address string, sent int64, err error) error {
	if errors.Is(err, net.ErrClosed) {
		return closedHere(address, sent)
	}
	return unavailable(err, spoolerr.CodeWriteFault,
		"%s broke the connection after %d bytes, before it confirmed the end; check the printer, the last pages may be missing", address, sent)
}

// tailStuck is a printer that did not take every byte in time.
func tailStuck(address string, sent int64, left int) error {
	return unavailable(nil, spoolerr.CodeTimeout,
		"%s stopped taking data with %d of %d bytes to go; check the printer for paper and errors, the last pages are missing", address, left, sent)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ETIMEDOUT) || errors.As(err, &t) && t.Timeout()
}
