package supervisor

import (
	"context"
	"sync"
	"time"
)

// Config is what one Supervisor keeps alive, and who is told.
type Config struct {
	// Start launches one incarnation and makes it ready for use.
	Start func(ctx context.Context) (*Process, error)
	// Stop ends a running incarnation in order. It returns when the process is reaped.
	Stop func(p *Process, reason string)
	// Ended is called when a process that had been started ended by itself or was killed.
	Ended func(p *Process)
	// Waiting is called before each wait for the next start, with its cause.
	Waiting func(err error, delay time.Duration)
	Backoff Backoff
	Now     func() time.Time
}

// Supervisor keeps one module running: first start and restarts take the same path.
type Supervisor struct {
	cfg     Config
	restart chan struct{}
	// released counts the processes of which something is left.
	released sync.WaitGroup
}

// New makes a supervisor; Run starts it.
func New(cfg Config) *Supervisor {
	return &Supervisor{cfg: cfg, restart: make(chan struct{}, 1)}
}

// Restart ends the running incarnation in order and starts another, or cuts a wait short.
func (s *Supervisor) Restart() {
	select {
	case s.restart <- struct{}{}:
	default: // one is asked for already
	}
}

// Run keeps the module running until ctx ends, and then stops it. When it returns nothing
// of any process is left.
func (s *Supervisor) Run(ctx context.Context) {
	defer s.released.Wait()
	for ctx.Err() == nil {
		if delay := s.once(ctx); delay > 0 {
			s.wait(ctx, delay)
		}
	}
}

// once runs one incarnation to its end and gives the delay before the next.
func (s *Supervisor) once(ctx context.Context) time.Duration {
	p, err := s.cfg.Start(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return 0
		}
		delay := max(s.cfg.Backoff.Failed(s.cfg.Now()), s.cfg.Backoff.Base)
		s.cfg.Waiting(err, delay)
		return delay
	}
	s.released.Go(func() { <-p.Released() })
	select {
	case <-ctx.Done():
		s.cfg.Stop(p, "the spooler is stopping")
	case <-s.restart:
		s.cfg.Backoff.Reset()
		s.cfg.Stop(p, "an operator asked for a restart")
	case <-p.Done():
		delay := s.cfg.Backoff.Failed(s.cfg.Now())
		s.cfg.Ended(p)
		if delay > 0 {
			s.cfg.Waiting(p.Err(), delay)
		}
		return delay
	}
	return 0
}

func (s *Supervisor) wait(ctx context.Context, delay time.Duration) {
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.restart:
		s.cfg.Backoff.Reset()
	case <-ctx.Done():
	}
}
