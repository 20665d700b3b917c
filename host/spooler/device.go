package spooler

import (
	"context"

	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// WithPort calls a port's device beside its documents. A port that no printer uses is
// opened for the call.
func (s *Spooler) WithPort(ctx context.Context, name string, call func(context.Context, *portmon.Port) error) error {
	p, open, err := s.claimOpen(name)
	if err != nil {
		return err
	}
	if open != nil {
		return call(ctx, open)
	}
	defer s.release(context.WithoutCancel(ctx), p)
	if open, err = s.ensureOpen(ctx, p); err != nil {
		return err
	}
	return call(ctx, open)
}

// claimOpen gives a port that is open, or reserves one that has to be opened.
func (s *Spooler) claimOpen(name string) (*port, *portmon.Port, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.ports[spool.Fold(name)]
	switch {
	case p == nil || !p.listed || p.unit == nil:
		return nil, nil, unknownPort(name)
	case !p.unit.ready():
		return nil, nil, p.unit.notRunning()
	case p.open != nil:
		return p, p.open, nil
	case !p.reserve():
		return nil, nil, spoolerr.New(spoolerr.Busy, 0, "port %s is just being opened or closed; try again", spool.Quote(p.name))
	}
	return p, nil, nil
}
