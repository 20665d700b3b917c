package supervisor

import (
	"errors"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// phase is where a supervisor stands.
type phase string

const (
	phaseStarting    phase = "starting"
	phaseRunning     phase = "running"
	phaseStopping    phase = "stopping"
	phaseWaiting     phase = "waiting"     // for the next start
	phaseQuarantined phase = "quarantined" // for an operator
	phaseStopped     phase = "stopped"     // for good
)

// state is all that a supervisor knows. step makes each from the one before.
type state struct {
	phase   phase
	backoff Backoff
	last    bool      // it is to stop for good
	again   bool      // an operator asked for a restart that is still to come
	worked  bool      // the module has done its work since its last failure
	since   time.Time // when it began to run, while it does
}

// event is what can happen to a supervisor.
type event struct {
	what what
	err  error // of startFailed and ended
}

type what string

const (
	onBegin        what = "begin"
	onStarted      what = "started"
	onStartFailed  what = "start-failed"
	onEnded        what = "ended" // by itself, or killed; not at the supervisor's wish
	onStopped      what = "stopped"
	onDue          what = "due" // a wait is over
	onWorked       what = "worked"
	onRestartAsked what = "restart-asked"
	onStopAsked    what = "stop-asked"
)

// action is what a supervisor does next.
type action struct {
	do     do
	reason string        // of stop
	err    error         // of tellWaiting and tellQuarantined
	delay  time.Duration // of tellWaiting and sleep
}

type do string

const (
	doStart         do = "start"
	doStop          do = "stop"
	doSleep         do = "sleep"
	tellEnded       do = "tell-ended"
	tellWaiting     do = "tell-waiting"
	tellQuarantined do = "tell-quarantined"
)

const (
	reasonStopping = "the spooler is stopping"
	reasonRestart  = "an operator asked for a restart"
)

// step is the whole logic of a supervisor: what follows from an event at now. It changes
// nothing but what it returns. random, from 0 to 1, is the jitter of a delay. An event
// that means nothing in a state leaves it as it is.
func step(s state, e event, now time.Time, random float64) (state, []action) {
	switch e.what {
	case onBegin:
		return s.start()
	case onStarted:
		if s.phase == phaseStarting {
			return s.started(now)
		}
	case onStartFailed:
		if s.phase == phaseStarting {
			return s.startFailed(e.err, random)
		}
	case onEnded:
		if s.phase == phaseRunning {
			return s.ended(e.err, now.Sub(s.since), random)
		}
	case onStopped:
		if s.phase == phaseStopping {
			return s.startUnlessLast()
		}
	case onDue:
		if s.phase == phaseWaiting {
			return s.start()
		}
	case onWorked:
		s.worked = true
	case onRestartAsked:
		return s.restart()
	case onStopAsked:
		return s.stopForGood()
	}
	return s, nil
}

func (s state) start() (state, []action) {
	s.phase, s.again = phaseStarting, false
	return s, []action{{do: doStart}}
}

func (s state) startUnlessLast() (state, []action) {
	if s.last {
		s.phase = phaseStopped
		return s, nil
	}
	return s.start()
}

func (s state) started(now time.Time) (state, []action) {
	switch {
	case s.last:
		return s.stop(reasonStopping)
	case s.again:
		return s.stop(reasonRestart)
	}
	s.phase, s.since = phaseRunning, now
	return s, nil
}

func (s state) startFailed(err error, random float64) (state, []action) {
	if s.last || s.again { // its failure is of no interest any more
		return s.startUnlessLast()
	}
	if errors.Is(err, spoolerr.Unsupported) { // it would be refused again
		s.phase = phaseQuarantined
		return s, []action{{do: tellQuarantined, err: err}}
	}
	return s.failed(err, s.backoff.Failed(0, random), s.backoff.Base)
}

func (s state) ended(err error, ran time.Duration, random float64) (state, []action) {
	var since time.Duration
	if s.worked { // it waits no longer than from its last start on
		s.backoff.Eased()
		s.worked, since = false, ran
	}
	s, actions := s.failed(err, s.backoff.Failed(ran, random)-since, 0)
	return s, append([]action{{do: tellEnded}}, actions...)
}

// failed starts again after the delay, at the soonest after the least, or gives up.
func (s state) failed(err error, delay, least time.Duration) (state, []action) {
	delay = max(delay, least)
	switch {
	case s.backoff.Exhausted():
		s.phase = phaseQuarantined
		return s, []action{{do: tellQuarantined, err: err}}
	case delay == 0:
		return s.start()
	}
	s.phase = phaseWaiting
	return s, []action{{do: tellWaiting, err: err, delay: delay}, {do: doSleep, delay: delay}}
}

// restart forgets all failures: an operator has said that the cause is gone.
func (s state) restart() (state, []action) {
	if s.last {
		return s, nil
	}
	s.backoff.Reset()
	switch s.phase {
	case phaseRunning:
		return s.stop(reasonRestart)
	case phaseWaiting, phaseQuarantined:
		return s.start()
	case phaseStarting:
		s.again = true
	}
	return s, nil // one that is being stopped is started after it anyhow
}

func (s state) stopForGood() (state, []action) {
	s.last = true
	switch s.phase {
	case phaseRunning:
		return s.stop(reasonStopping)
	case phaseWaiting, phaseQuarantined:
		s.phase = phaseStopped
	}
	return s, nil
}

func (s state) stop(reason string) (state, []action) {
	s.phase, s.again = phaseStopping, false
	return s, []action{{do: doStop, reason: reason}}
}
