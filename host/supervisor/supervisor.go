package supervisor

import (
	"context"
	"math/rand/v2"
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
	// Random gives the jitter of the delays, from 0 to 1; nil is chance.
	Random func() float64
}

// Supervisor keeps one module running: first start and restarts take the same path. What
// it does when is decided by step; this is what carries it out.
type Supervisor[L Life] struct {
	cfg     Config[L]
	state   state
	life    L
	results chan event // of Start and Stop, one of which runs at a time
	restart chan struct{}
	worked  atomic.Bool
	timer   *time.Timer
	// work counts starts and stops under way, and lives of which something is left.
	work sync.WaitGroup
}

// New makes a supervisor; Run starts it.
func New[L Life](cfg Config[L]) *Supervisor[L] {
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	return &Supervisor[L]{
		cfg: cfg, state: state{backoff: cfg.Backoff}, results: make(chan event, 1), restart: make(chan struct{}, 1),
	}
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
	defer s.work.Wait()
	s.timer = time.NewTimer(time.Hour)
	defer s.timer.Stop()
	s.timer.Stop()
	s.happened(ctx, event{what: onBegin})
	for s.state.phase != phaseStopped {
		e := s.next(ctx)
		if ctx.Err() != nil && !s.state.last { // before what may have come of it
			s.happened(ctx, event{what: onStopAsked})
		}
		s.happened(ctx, e)
	}
}

// next waits for an event.
func (s *Supervisor[L]) next(ctx context.Context) event {
	var done, cancelled <-chan struct{}
	if s.state.phase == phaseRunning {
		done = s.life.Done()
	}
	if !s.state.last { // it is said once
		cancelled = ctx.Done()
	}
	select {
	case e := <-s.results:
		return e
	case <-done:
		return event{what: onEnded, err: s.life.Err()}
	case <-s.timer.C:
		return event{what: onDue}
	case <-s.restart:
		return event{what: onRestartAsked}
	case <-cancelled:
		return event{what: onStopAsked}
	}
}

// happened takes a step and does what follows.
func (s *Supervisor[L]) happened(ctx context.Context, e event) {
	if s.worked.Swap(false) { // before what has happened since
		s.state, _ = step(s.state, event{what: onWorked}, s.cfg.Now(), 0)
	}
	var actions []action
	s.state, actions = step(s.state, e, s.cfg.Now(), s.cfg.Random())
	if s.state.phase != phaseWaiting {
		s.timer.Stop()
	}
	for _, a := range actions {
		s.perform(ctx, a)
	}
}

func (s *Supervisor[L]) perform(ctx context.Context, a action) {
	switch a.do {
	case doStart:
		s.work.Go(func() { s.results <- s.start(ctx) })
	case doStop:
		life := s.life
		s.work.Go(func() {
			s.cfg.Stop(life, a.reason)
			s.results <- event{what: onStopped}
		})
	case doSleep:
		s.timer.Reset(a.delay)
	case tellEnded:
		s.cfg.Ended(s.life)
	case tellWaiting:
		s.cfg.Waiting(a.err, a.delay)
	case tellQuarantined:
		s.cfg.Quarantined(a.err)
	}
}

// start leaves the new life for Run, which looks at it only after the event.
func (s *Supervisor[L]) start(ctx context.Context) event {
	life, err := s.cfg.Start(ctx)
	if err != nil {
		return event{what: onStartFailed, err: err}
	}
	s.life = life
	s.work.Go(func() { <-life.Released() })
	return event{what: onStarted}
}
