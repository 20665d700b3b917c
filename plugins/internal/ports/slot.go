package ports

import (
	"context"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Document is what a Slot holds. Drop ends it at once, and may be called twice, or
// while another goroutine still writes to it.
type Document interface{ Drop() }

// Slot is the place for the one document that an open port can have. The host calls a
// port's methods one at a time, but Close, and the instance's Shutdown, may come while
// another call is still returning: they reach the document here without waiting.
type Slot[D Document] struct {
	Name string

	mu     sync.Mutex
	doc    D
	full   bool
	closed bool
	giveUp context.CancelFunc
}

// Prepare refuses a document that cannot begin. The context it gives is for opening the
// device: it ends when the port is closed. Fill or Fail must follow.
func (s *Slot[D]) Prepare(ctx context.Context) (context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, s.isClosed()
	case s.full:
		return nil, spoolerr.New(spoolerr.Busy, 0, "port %s has a document in it; end that one first", spool.Quote(s.Name))
	}
	ctx, s.giveUp = context.WithCancel(ctx)
	return ctx, nil
}

// Fill puts d into the slot, or drops it if the port was closed meanwhile.
func (s *Slot[D]) Fill(d D) error {
	err := s.fill(d)
	if err != nil {
		d.Drop()
	}
	return err
}

func (s *Slot[D]) fill(d D) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveUp()
	if s.closed {
		return s.isClosed()
	}
	s.doc, s.full = d, true
	return nil
}

// Fail ends what Prepare began with err.
func (s *Slot[D]) Fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveUp()
	if s.closed {
		return s.isClosed()
	}
	return err
}

// Current gives the document.
func (s *Slot[D]) Current() (d D, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return d, s.isClosed()
	case !s.full:
		return d, spoolerr.New(spoolerr.Precondition, spoolerr.CodeNoStartDoc, "port %s has no document; call StartDoc first", spool.Quote(s.Name))
	}
	return s.doc, nil
}

// Empty forgets the document.
func (s *Slot[D]) Empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var none D
	s.doc, s.full = none, false
}

// Close closes the port and drops its document; first says that it was open.
func (s *Slot[D]) Close() (first bool) {
	s.mu.Lock()
	first = !s.closed
	s.closed = true
	d, full := s.doc, s.full
	if s.giveUp != nil {
		s.giveUp()
	}
	s.mu.Unlock()
	if full {
		d.Drop()
		s.Empty()
	}
	return first
}

// Abort is Close at the instance's Shutdown.
func (s *Slot[D]) Abort() { s.Close() }

func (s *Slot[D]) isClosed() error {
	return spoolerr.New(spoolerr.BadHandle, 0, "port %s is closed; open it again", spool.Quote(s.Name))
}
