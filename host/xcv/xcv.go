// Package xcv is the host's side of an Xcv handle: whom it is opened on, with what rights,
// one command after the other, each call under its deadline.
//
// spooler, dialogue and the API import it. It interprets no command beyond its name and,
// for those that add and delete ports, the port's; and it grants nothing: the rights come
// from its caller. It keeps them all the same, and passes them on to the monitor, which
// keeps them too.
package xcv

import (
	"context"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Session is an open Xcv handle. Its calls follow one another, whoever makes them.
type Session struct {
	x       monitor.Xcv
	granted spool.Access
	timeout time.Duration
	turn    chan struct{} // holds one token while a call is under way

	mu     sync.Mutex
	closed bool
}

// Open calls XcvOpenPort. object is a port's name, or empty for the monitor itself. Each
// call of the session has the deadline callTimeout.
func Open(ctx context.Context, m monitor.Monitor, callTimeout time.Duration, object string, granted spool.Access) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	x, err := m.XcvOpenPort(ctx, object, granted)
	if err != nil {
		return nil, spoolerr.Wrap(err, "XcvOpenPort")
	}
	return &Session{x: x, granted: granted, timeout: callTimeout, turn: make(chan struct{}, 1)}, nil
}

// Granted gives the rights that the session was opened with.
func (s *Session) Granted() spool.Access { return s.granted }

// Data carries out one command. An error that is a *monitorwire.Status is the monitor's
// answer; with any other it was not asked, or did not answer.
func (s *Session) Data(ctx context.Context, name string, in []byte) (out []byte, err error) {
	if err := s.allow(name, in); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer func() { <-s.turn }()
	return s.x.Data(ctx, name, in)
}

// allow refuses what the monitor is not to see.
func (s *Session) allow(name string, in []byte) error {
	if err := CheckDataName(name); err != nil {
		return err
	}
	if len(in) > wire.MaxXcv {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
			"the input of %s has %d bytes; the most is %d", name, len(in), wire.MaxXcv)
	}
	if NeedsAdminister(name) && !s.granted.Has(spool.ServerAccessAdminister) {
		return spoolerr.New(spoolerr.Denied, 0,
			"%s needs the right to administer the print server (SERVER_ACCESS_ADMINISTER), which this session was not opened with", name)
	}
	return nil
}

// take waits for the session's turn. A closed session has none any more.
func (s *Session) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return spoolerr.As(ctx.Err(), spoolerr.Busy, "the session is still in an earlier call")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.turn
		return spoolerr.New(spoolerr.BadHandle, 0, "the session is closed")
	}
	return nil
}

// Close calls XcvClosePort, also when ctx has ended: the caller may have gone. It may be
// called again.
func (s *Session) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done(): // the call under way has the same deadline
	}
	return s.x.Close(ctx)
}
