package cluster

import "time"

// standing is how a node stands to its lease.
type standing string

const (
	// apart: it has no lease, and owns nothing.
	apart standing = "apart"
	// sound: its lease is renewed in time.
	sound standing = "sound"
	// doubtful: a renewal failed or is late. No document starts; running ones go on.
	doubtful standing = "doubtful"
	// cut: its lease may run out. The modules of its cluster spoolers are ended, and it
	// needs another lease.
	cut standing = "cut"
)

// fence is all that a node knows of its lease. It goes by the monotonic clock only, and
// counts from before a renewal was sent: the cluster counts from when it came, which is
// later, so that the node's idea of the lease's end is never too late.
type fence struct {
	ttl      time.Duration
	standing standing
	renewed  time.Duration // on the monotonic clock: when the last good renewal was sent
}

// fenceEvent is what can happen to a fence.
type fenceEvent struct {
	what fenceWhat
	sent time.Duration // of granted and renewed
}

type fenceWhat string

const (
	onGranted fenceWhat = "granted"
	onRenewed fenceWhat = "renewed"
	onFailed  fenceWhat = "failed" // a renewal did not succeed; the lease may live
	onLost    fenceWhat = "lost"   // the cluster says that the lease has run out
	onTick    fenceWhat = "tick"   // time has passed, or the process may have been stopped
)

// fenceAction is what the node does at once.
type fenceAction string

const (
	suspendAll fenceAction = "suspend"
	resumeAll  fenceAction = "resume"
	killAll    fenceAction = "kill"
)

// margin is the time that is kept for ending the modules: a quarter of the lease.
func (f fence) margin() time.Duration { return f.ttl / 4 }

// killAt is when the modules have to be ended, unless the lease is renewed before.
func (f fence) killAt() time.Duration { return f.renewed + f.ttl - f.margin() }

// suspendAt is when a renewal counts as late: two are sent in this time.
func (f fence) suspendAt() time.Duration { return f.renewed + f.ttl/2 }

// every is how often the lease is renewed.
func (f fence) every() time.Duration { return f.ttl / 5 }

// wake is when time alone changes something; false if it does not.
func (f fence) wake() (at time.Duration, ok bool) {
	switch f.standing {
	case sound:
		return f.suspendAt(), true
	case doubtful:
		return f.killAt(), true
	}
	return 0, false
}

// mayPrint says whether a document may start now. Whoever is about to write asks it with
// the time of that moment: after a stop of the process no timer may have run yet.
func (f fence) mayPrint(now time.Duration) bool {
	return f.standing == sound && now < f.suspendAt()
}

// fenceStep is the whole logic of the fence: what follows from an event at now. Time is
// looked at first: what comes too late, though it be good news, comes too late.
func fenceStep(f fence, e fenceEvent, now time.Duration) (fence, []fenceAction) {
	if e.what == onGranted {
		if f.standing != apart && f.standing != cut {
			return f.look(now)
		}
		f.standing, f.renewed = sound, e.sent
		next, late := f.look(now)
		if next.standing == cut {
			return next, nil // nothing was started under it
		}
		return next, append([]fenceAction{resumeAll}, late...)
	}
	next, actions := f.look(now)
	if next.standing == apart || next.standing == cut {
		return next, actions
	}
	switch e.what {
	case onRenewed:
		if e.sent > next.renewed {
			next.renewed = e.sent
		}
		if next.standing == doubtful && now < next.suspendAt() {
			next.standing = sound
			actions = append(actions, resumeAll)
		}
	case onFailed:
		if next.standing == sound {
			next.standing = doubtful
			actions = append(actions, suspendAll)
		}
	case onLost:
		next.standing = cut
		actions = append(actions, killAll)
	}
	return next, actions
}

// look is what time alone does.
func (f fence) look(now time.Duration) (fence, []fenceAction) {
	var actions []fenceAction
	if f.standing == sound && now >= f.suspendAt() {
		f.standing = doubtful
		actions = append(actions, suspendAll)
	}
	if f.standing == doubtful && now >= f.killAt() {
		f.standing = cut
		actions = append(actions, killAll)
	}
	return f, actions
}
