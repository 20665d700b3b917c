package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Leases is what membership needs of etcd.
type Leases interface {
	// Grant makes a lease.
	Grant(ctx context.Context, ttl time.Duration) (lease int64, err error)
	// Attach writes an entry of the store that goes when the lease does.
	Attach(ctx context.Context, lease int64, key string, value []byte) error
	// Beat is Attach of an entry that is there. spoolerr.NotFound: it is not.
	Beat(ctx context.Context, lease int64, key string, value []byte) error
	// Renew gives the lease its whole time again. spoolerr.NotFound: it has run out.
	Renew(ctx context.Context, lease int64) error
	// Revoke ends the lease.
	Revoke(ctx context.Context, lease int64) error
}

// tenancy keeps a node's lease and its fence. Its goroutine is run's.
type tenancy struct {
	leases Leases
	clock  func() time.Duration
	member func(session string) (key string, value []byte)
	// beatKey gives where this node writes its beats, see beat.go.
	beatKey func(session string) string
	// act carries out what the fence demands. killAll returns when nothing runs any more.
	act  func(fenceAction)
	warn func(text string, err error)
	// guard ends the modules if this process cannot.
	guard *Guard

	mu      sync.Mutex
	fence   fence
	lease   int64
	session string
	// attached is the member record as it was last written; the goroutine's that renews.
	attached string
	beats    uint64        // also that goroutine's
	changed  chan struct{} // the member record is to be written anew
}

func newTenancy(ttl time.Duration, leases Leases, clock func() time.Duration) *tenancy {
	return &tenancy{
		leases: leases, clock: clock, fence: fence{ttl: ttl, standing: apart}, changed: make(chan struct{}, 1),
	}
}

// mayPrint says whether this node may start a document at this very moment.
func (t *tenancy) mayPrint() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fence.mayPrint(t.clock())
}

// current gives the session of the lease that the node has; empty if it has none.
func (t *tenancy) current() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fence.standing == apart || t.fence.standing == cut {
		return ""
	}
	return t.session
}

// holds says whether the lease of a session is certain to live at this very moment.
func (t *tenancy) holds(session string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.fence
	return t.session == session && (f.standing == sound || f.standing == doubtful) && t.clock() < f.killAt()
}

// refresh has the member record written anew.
func (t *tenancy) refresh() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// run holds a lease until ctx ends, and then gives it back.
func (t *tenancy) run(ctx context.Context) {
	renewals := make(chan fenceEvent, 1)
	var renewing sync.WaitGroup
	defer renewing.Wait()
	busy := false
	var next time.Duration // when to renew, or to ask for a lease
	for {
		now := t.clock()
		t.step(fenceEvent{what: onTick}, now)
		if !busy && now >= next {
			busy, next = true, now+t.fence.every()
			renewing.Go(func() { renewals <- t.renew(ctx) })
		}
		timer := time.NewTimer(t.sleep(next, busy))
		select {
		case e := <-renewals:
			busy = false
			t.step(e, t.clock())
		case <-t.changed:
			next = 0
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			t.giveBack()
			return
		}
		timer.Stop()
	}
}

// sleep is the time until something is to be done.
func (t *tenancy) sleep(next time.Duration, busy bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.fence.wake()
	if !busy && (!ok || next < at) {
		at, ok = next, true
	}
	if !ok {
		return t.fence.every()
	}
	return max(at-t.clock(), time.Millisecond)
}

// step plays an event, and does at once what follows.
func (t *tenancy) step(e fenceEvent, now time.Duration) {
	t.mu.Lock()
	next, actions := fenceStep(t.fence, e, now)
	t.fence = next
	t.mu.Unlock()
	if e.what == onGranted || e.what == onRenewed {
		t.guard.Until(next.killAt() + next.margin()/3) // this process is to do it first
	}
	for _, a := range actions {
		t.act(a)
	}
}

// renew renews the lease, or gets one. Its result is of the time before it was sent.
func (t *tenancy) renew(ctx context.Context) fenceEvent {
	t.mu.Lock()
	lease, have := t.lease, t.fence.standing == sound || t.fence.standing == doubtful
	limit := t.fence.ttl / 2
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if !have {
		return t.enter(ctx)
	}
	sent := t.clock()
	err := t.leases.Renew(ctx, lease)
	if err == nil { // not before the lease lives: a beat says so to the others
		err = t.beat(ctx, lease, t.leases.Beat)
	}
	if err == nil {
		err = t.attach(ctx, lease)
	}
	switch {
	case err == nil:
		return fenceEvent{what: onRenewed, sent: sent}
	case errors.Is(err, spoolerr.NotFound):
		return fenceEvent{what: onLost}
	}
	t.warn("the lease of this node was not renewed", err)
	return fenceEvent{what: onFailed}
}

// beat writes another value than before.
func (t *tenancy) beat(ctx context.Context, lease int64, write func(context.Context, int64, string, []byte) error) error {
	t.mu.Lock()
	session := t.session
	t.mu.Unlock()
	t.beats++
	return write(ctx, lease, t.beatKey(session), strconv.AppendUint(nil, t.beats, 10))
}

// attach writes the member record, if it has changed.
func (t *tenancy) attach(ctx context.Context, lease int64) error {
	t.mu.Lock()
	session := t.session
	t.mu.Unlock()
	key, value := t.member(session)
	if t.attached == string(value) {
		return nil
	}
	err := t.leases.Attach(ctx, lease, key, value)
	if err == nil {
		t.attached = string(value)
	}
	return err
}

// enter gets a new lease under a new session, after the old one has been ended: nothing
// of this node runs under it any more.
func (t *tenancy) enter(ctx context.Context) fenceEvent {
	t.mu.Lock()
	old, ttl := t.lease, t.fence.ttl
	t.mu.Unlock()
	failed := func(what string, err error) fenceEvent {
		if !errors.Is(ctx.Err(), context.Canceled) { // the node is not stopping
			t.warn(what, err)
		}
		return fenceEvent{what: onFailed}
	}
	if old != 0 {
		if err := t.leases.Revoke(ctx, old); err != nil && !errors.Is(err, spoolerr.NotFound) {
			return failed("the earlier lease of this node cannot be given back", err)
		}
	}
	sent := t.clock()
	lease, err := t.leases.Grant(ctx, ttl)
	if err != nil {
		return failed("this node has no lease, and owns no cluster spooler", err)
	}
	t.mu.Lock()
	t.lease, t.session = lease, rand.Text()
	t.mu.Unlock()
	err = t.beat(ctx, lease, t.leases.Attach)
	if err == nil {
		err = t.attach(ctx, lease)
	}
	if err != nil {
		return failed("this node cannot enter the cluster", err)
	}
	return fenceEvent{what: onGranted, sent: sent}
}

// giveBack ends the lease, so that others need not wait for its end.
func (t *tenancy) giveBack() {
	t.mu.Lock()
	lease := t.lease
	t.fence.standing = apart
	t.mu.Unlock()
	if lease == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := t.leases.Revoke(ctx, lease); err != nil {
		t.warn("the lease of this node was not given back; it runs out by itself", err)
	}
}
