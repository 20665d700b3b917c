package netport

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Unavailable is a failure of the printer or the way to it.
func Unavailable(cause error, code spoolerr.Code, format string, args ...any) error {
	e := spoolerr.New(spoolerr.Unavailable, code, format, args...)
	e.Err = cause
	return e
}

// connectError words why a printer cannot be reached: each reason has its own remedy.
func (r Remote) connectError(ctx context.Context, err error) error {
	var dns *net.DNSError
	switch {
	case ctx.Err() != nil:
		return spoolerr.Wrap(ctx.Err(), "connecting to %s was given up", r.Address())
	case errors.As(err, &dns):
		return r.lookupError(dns)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Unavailable(err, spoolerr.CodeConnectionRefused,
			"%s refuses the connection; check that the printer is ready, that it prints by this protocol, and that no other host holds it", r.Address())
	case isTimeout(err):
		return Unavailable(err, spoolerr.CodeTimeout,
			"%s did not answer within %s; check that the printer is on and in the network, and the settings host and port", r.Address(), r.ConnectTimeout)
	}
	return Unavailable(err, spoolerr.CodeNotConnected,
		"%s cannot be reached; check the network between this host and the printer", r.Address())
}

func (r Remote) lookupError(err *net.DNSError) error {
	if err.IsTimeout {
		return Unavailable(err, spoolerr.CodeTimeout,
			"the name %s (for %s) was not looked up in time; check this host's name servers", spool.Quote(r.Host), r.Address())
	}
	return Unavailable(err, spoolerr.CodeNotConnected,
		"the name %s (for %s) is not known; correct the setting host, or check this host's name servers", spool.Quote(r.Host), r.Address())
}

// closedHere is a connection that Close or Shutdown ended.
func (r Remote) closedHere(sent int64) error {
	return spoolerr.New(spoolerr.BadHandle, 0, "the port was closed after %d bytes to %s; open it again", sent, r.Address())
}

// Lost is a connection that broke inside a document.
func (r Remote) Lost(sent int64, err error) error {
	if errors.Is(err, net.ErrClosed) {
		return r.closedHere(sent)
	}
	return Unavailable(err, spoolerr.CodeWriteFault,
		"the connection to %s broke after %d bytes; check the printer's panel, the rest of the document is not printed", r.Address(), sent)
}

// TailLost is a connection that broke when every byte was on its way.
func (r Remote) TailLost(sent int64, err error) error {
	if errors.Is(err, net.ErrClosed) {
		return r.closedHere(sent)
	}
	return Unavailable(err, spoolerr.CodeWriteFault,
		"%s broke the connection after %d bytes, before it confirmed the end; check the printer, the last pages may be missing", r.Address(), sent)
}

// TailStuck is a printer that did not take every byte in time.
func (r Remote) TailStuck(sent int64, left int) error {
	return Unavailable(nil, spoolerr.CodeTimeout,
		"%s stopped taking data with %d of %d bytes to go; check the printer for paper and errors, the last pages are missing", r.Address(), left, sent)
}

// Silent is a printer that has answered nothing for a long time in a document.
func (r Remote) Silent(sent int64) error {
	return Unavailable(nil, spoolerr.CodeNotConnected,
		"%s has not answered for %s, after %d bytes; check that the printer is on and in the network, the rest of the document is not printed",
		r.Address(), probes*r.KeepAlive, sent)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ETIMEDOUT) || errors.As(err, &t) && t.Timeout()
}
