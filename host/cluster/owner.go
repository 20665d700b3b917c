package cluster

import "time"

// phase is where one spooler stands on one node.
type phase string

const (
	away     phase = "away"     // another node has it, or none
	claiming phase = "claiming" // the record of its owner is being written
	opening  phase = "opening"  // its printers are read
	waiting  phase = "waiting"  // it could not be opened; tried again
	online   phase = "online"   // it runs, completely or not
	closing  phase = "closing"  // a planned end: documents finish, monitors are shut down
	handing  phase = "handing"  // it has ended here, and is given to another node
	killing  phase = "killing"  // its modules are being killed
)

// owner is all that a node knows of its part in one spooler.
type owner struct {
	phase phase
	// leave says that it is to go, to a node or (empty) to whom placement gives it.
	leave bool
	to    string
	delay time.Duration // the next wait after a failure
}

// ownerEvent is what can happen.
type ownerEvent struct {
	what ownerWhat
	to   string // of leave
}

type ownerWhat string

const (
	onChosen  ownerWhat = "chosen"  // placement gives it to this node
	onGiven   ownerWhat = "given"   // the record says that this node owns it
	onTaken   ownerWhat = "taken"   // the record says that another does
	onClaimed ownerWhat = "claimed" // the claim is committed
	onRefused ownerWhat = "refused" // somebody else was first, or the store refused
	onOpened  ownerWhat = "opened"
	onBroken  ownerWhat = "broken" // it could not be opened, or the store failed
	onDue     ownerWhat = "due"    // a wait is over
	onLeave   ownerWhat = "leave"  // a move, a drain, a deletion, the end of the host
	onStay    ownerWhat = "stay"   // the move was withdrawn before it began
	onClosed  ownerWhat = "closed"
	onHanded  ownerWhat = "handed"
	onFenced  ownerWhat = "fenced" // the lease is in danger
	onKilled  ownerWhat = "killed"
)

// ownerAction is what the node does.
type ownerAction struct {
	do    ownerDo
	to    string
	delay time.Duration
}

type ownerDo string

const (
	doClaim ownerDo = "claim"
	doOpen  ownerDo = "open"
	doClose ownerDo = "close"
	doHand  ownerDo = "hand"
	doKill  ownerDo = "kill"
	doSleep ownerDo = "sleep"
)

const (
	firstDelay   = 200 * time.Millisecond
	longestDelay = 10 * time.Second
)

// ownerStep is the whole logic of one spooler on one node. An event that means nothing in
// a phase leaves it as it is.
func ownerStep(o owner, e ownerEvent) (owner, []ownerAction) {
	switch e.what {
	case onChosen:
		if o.phase == away {
			return owner{phase: claiming}, []ownerAction{{do: doClaim}}
		}
	case onGiven:
		if o.phase == away {
			return owner{phase: opening}, []ownerAction{{do: doOpen}}
		}
	case onTaken, onFenced:
		return o.lose()
	case onLeave:
		return o.depart(e.to)
	case onStay:
		if o.phase != closing && o.phase != handing {
			o.leave, o.to = false, ""
		}
	default:
		return o.done(e.what)
	}
	return o, nil
}

// done is what follows when something that the node did is over.
func (o owner) done(what ownerWhat) (owner, []ownerAction) {
	switch o.phase {
	case claiming:
		return o.claimed(what)
	case opening:
		return o.opened(what)
	case waiting:
		if what == onDue {
			return o.open()
		}
	case online:
		if what == onClosed { // by itself, which it should not: open it anew
			o.phase = waiting
			return o.wait()
		}
	case closing:
		if what == onClosed {
			o.phase = handing
			return o, []ownerAction{{do: doHand, to: o.to}}
		}
	case handing:
		return o.handed(what)
	case killing:
		if what == onKilled {
			return owner{phase: away}, nil
		}
	}
	return o, nil
}

func (o owner) claimed(what ownerWhat) (owner, []ownerAction) {
	switch what {
	case onClaimed:
		return o.open()
	case onRefused, onBroken:
		return owner{phase: away}, nil
	}
	return o, nil
}

func (o owner) opened(what ownerWhat) (owner, []ownerAction) {
	switch {
	case what == onOpened:
		o.phase, o.delay = online, 0
		if o.leave {
			return o.depart(o.to)
		}
	case what == onBroken && o.leave:
		o.phase, o.delay = handing, 0
		return o, []ownerAction{{do: doHand, to: o.to}}
	case what == onBroken:
		o.phase = waiting
		return o.wait()
	}
	return o, nil
}

func (o owner) handed(what ownerWhat) (owner, []ownerAction) {
	switch what {
	case onHanded, onRefused:
		return owner{phase: away}, nil
	case onBroken:
		return o.wait()
	case onDue:
		return o, []ownerAction{{do: doHand, to: o.to}}
	}
	return o, nil
}

func (o owner) open() (owner, []ownerAction) {
	if o.leave {
		o.phase = handing
		return o, []ownerAction{{do: doHand, to: o.to}}
	}
	o.phase = opening
	return o, []ownerAction{{do: doOpen}}
}

func (o owner) wait() (owner, []ownerAction) {
	o.delay = min(max(2*o.delay, firstDelay), longestDelay)
	return o, []ownerAction{{do: doSleep, delay: o.delay}}
}

// depart begins a planned end, or notes that there is to be one.
func (o owner) depart(to string) (owner, []ownerAction) {
	switch o.phase {
	case claiming, opening:
		o.leave, o.to = true, to
	case waiting:
		o.leave, o.to, o.phase, o.delay = true, to, handing, 0
		return o, []ownerAction{{do: doHand, to: to}}
	case online:
		o.leave, o.to, o.phase = true, to, closing
		return o, []ownerAction{{do: doClose, to: to}}
	}
	return o, nil
}

// lose ends a spooler that this node may not have any more. What is on its way is killed
// too; what has ended already needs nothing.
func (o owner) lose() (owner, []ownerAction) {
	switch o.phase {
	case away, killing:
		return o, nil
	case claiming, waiting, handing:
		return owner{phase: away}, nil
	}
	return owner{phase: killing}, []ownerAction{{do: doKill}}
}
