package supervisor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Life is what a Supervisor keeps: one incarnation of a module, as a Process is, or a part
// in one that several spoolers share.
type Life interface {
	// Done is closed when it has ended, Released when nothing of it is left.
	Done() <-chan struct{}
	Released() <-chan struct{}
	// Err says, after Done, how it ended.
	Err() error
}

// Config is what one Supervisor keeps alive, and who is told.
type Config[L Life] struct {
	// Start launches one incarnation and makes it ready for use.
	Start func(ctx context.Context) (L, error)
	// Stop ends a running incarnation in order. It returns when the process is reaped.
	Stop func(p L, reason string)
	// Ended is called when a process that had been started ended by itself or was killed.
	Ended func(p L)
	// Waiting is called before each wait for the next start, with its cause.
	Waiting func(err error, delay time.Duration)
	// Quarantined is called, with the last failure, when the module has failed too often:
	// it is not started again until Restart.
	Quarantined func(err error)
	Backoff     Backoff
	Now         func() time.Time
}

// Supervisor keeps one module running: first start and restarts take the same path.
type Supervisor[L Life] struct {
	cfg     Config[L]
	restart chan struct{}
	worked  atomic.Bool // the module has done its work since its last failure
	// released counts the processes of which something is left.
	released sync.WaitGroup
}

// New makes a supervisor; Run starts it.
func New[L Life](cfg Config[L]) *Supervisor[L] {
	return &Supervisor[L]{cfg: cfg, restart: make(chan struct{}, 1)}
}

// Restart ends the running incarnation in order and starts another, or cuts a wait short.
func (s *Supervisor[L]) Restart() {
	select {
	case s.restart <- struct{}{}:
	default: // one is asked for already
	}
}

// Worked tells that the module has done its work: one that does is not given up however
// often it fails in between.
func (s *Supervisor[L]) Worked() { s.worked.Store(true) }

// Run keeps the module running until ctx ends, and then stops it. When it returns nothing
// of any process is left.
func (s *Supervisor[L]) Run(ctx context.Context) {
	defer s.released.Wait()
	for ctx.Err() == nil {
		if delay := s.once(ctx); delay > 0 {
			s.wait(ctx, delay)
		}
	}
}

// once runs one incarnation to its end and gives the delay before the next.
func (s *Supervisor[L]) once(ctx context.Context) time.Duration {
	p, err := s.cfg.Start(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return 0
		}
		return s.failed(ctx, err, s.cfg.Backoff.Base)
	}
	s.released.Go(func() { <-p.Released() })
	select {
	case <-ctx.Done():
		s.cfg.Stop(p, "the spooler is stopping")
	case <-s.restart:
		s.cfg.Backoff.Reset()
		s.cfg.Stop(p, "an operator asked for a restart")
	case <-p.Done():
		s.cfg.Ended(p)
		return s.failed(ctx, p.Err(), 0)
	}
	return 0
}

// failed counts a failure and gives the delay before the next start, at least the least;
// a module that has failed too often waits here for an operator.
func (s *Supervisor[L]) failed(ctx context.Context, err error, least time.Duration) time.Duration {
	if s.worked.Swap(false) {
		s.cfg.Backoff.Eased()
	}
	delay := max(s.cfg.Backoff.Failed(s.cfg.Now()), least)
	if s.cfg.Backoff.Exhausted() {
		s.cfg.Quarantined(err)
		select {
		case <-s.restart:
			s.cfg.Backoff.Reset()
		case <-ctx.Done():
		}
		return 0
	}
	if delay > 0 {
		s.cfg.Waiting(err, delay)
	}
	return delay
}

func (s *Supervisor[L]) wait(ctx context.Context, delay time.Duration) {
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.restart:
		s.cfg.Backoff.Reset()
	case <-ctx.Done():
	}
}
