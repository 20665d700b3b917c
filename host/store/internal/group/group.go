// Package group lets concurrent writers of a store share its commits.
//
// The implementations of store.Store import it. It knows neither keys nor storage, and
// starts no goroutine and no timer.
package group

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// maxBatch bounds how many functions share a commit, and so how long the first waits.
const maxBatch = 1024

// The states of a request.
const (
	queued int32 = iota
	started
	withdrawn
)

// Request is one caller's function.
type Request[F any] struct {
	Fn F
	// Err is the function's own failure. It is written by the leader before the batch is
	// done, read by the caller after.
	Err error

	ctx   context.Context
	state atomic.Int32
	name  string
}

// Start says whether the function may run; if not, Err is set. Once it has said yes it
// goes on to, for what has started is carried through.
func (r *Request[F]) Start() bool {
	if r.state.Load() == started {
		return true
	}
	if r.ctx.Err() == nil && r.state.CompareAndSwap(queued, started) {
		return true
	}
	r.Err = r.skipped()
	return false
}

func (r *Request[F]) skipped() error {
	return spoolerr.Wrap(r.ctx.Err(), "store %s was not changed", r.name)
}

// batch is a group of requests that share one commit. The caller who forms it leads it:
// waits until the batch before is done, and commits. Who comes while it waits joins; who
// comes later forms the next. So a lone caller waits for nobody, and a crowd shares the
// disk's time.
type batch[F any] struct {
	requests []*Request[F]
	sealed   bool            // nobody may join any more
	before   <-chan struct{} // the end of the batch before; nil: there is none
	done     chan struct{}
}

// Group forms batches. Fill in Name and Commit before use.
type Group[F any] struct {
	// Name is the store's, for messages.
	Name string
	// Commit runs the functions of a batch and makes durable what they wrote. What it
	// returns is the result of every request whose Err it left nil.
	Commit func([]*Request[F]) error

	mu   sync.Mutex
	tail *batch[F] // the batch formed last
}

// Do has fn run and committed, together with others'. A ctx that ends before fn has
// started withdraws it.
func (g *Group[F]) Do(ctx context.Context, fn F) error {
	r := &Request[F]{Fn: fn, ctx: ctx, name: g.Name}
	mine, leader := g.join(r)
	if leader {
		g.lead(mine)
		return r.Err
	}
	select {
	case <-mine.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(queued, withdrawn) {
			return r.skipped()
		}
		<-mine.done
	}
	return r.Err
}

// Queued counts the requests that wait for the batch under way.
func (g *Group[F]) Queued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tail == nil || g.tail.sealed {
		return 0
	}
	return len(g.tail.requests)
}

func (g *Group[F]) join(r *Request[F]) (mine *batch[F], leader bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.tail; t != nil && !t.sealed && len(t.requests) < maxBatch {
		t.requests = append(t.requests, r)
		return t, false
	}
	mine = &batch[F]{requests: []*Request[F]{r}, done: make(chan struct{})}
	if g.tail != nil {
		mine.before = g.tail.done
	}
	g.tail = mine
	return mine, true
}

// lead commits the batch. Whatever happens, even a Goexit in some function, nobody is
// left waiting.
func (g *Group[F]) lead(mine *batch[F]) {
	if mine.before != nil {
		<-mine.before
		runtime.Gosched() // those just released may bring their next at once
	}
	g.mu.Lock()
	mine.sealed = true
	g.mu.Unlock()
	defer close(mine.done)
	var err error = spoolerr.New(spoolerr.Internal, 0, "a function given to store %s ended its goroutine", g.Name)
	defer func() { mine.settle(err) }()
	err = g.Commit(mine.requests)
}

// settle gives every request without an error of its own the batch's.
func (mine *batch[F]) settle(err error) {
	for _, r := range mine.requests {
		if r.Err == nil {
			r.Err = err
		}
	}
}
