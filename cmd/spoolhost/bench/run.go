package bench

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/payload"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/procs"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/sink"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/target"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Setting is what a run works with.
type Setting struct {
	Target target.Target
	// Sinks are the printers of the queues: queue q prints to sink q modulo their number. Nil
	// means that the queues print elsewhere; then only accepting is measured.
	Sinks *Sinks
	// Pid is the server's process on this machine; 0 measures none.
	Pid int
	// Progress, if not nil, is called a few times a second.
	Progress func(done Counts, since time.Duration)
}

// Sinks are printers that report to whichever run is on.
type Sinks struct {
	*sink.Set

	mu     sync.Mutex
	report func(sink.Arrival)
}

// ListenSinks starts sinks; see sink.Listen.
func ListenSinks(ctx context.Context, addrs []string, hung func(i int) bool) (*Sinks, error) {
	s := &Sinks{}
	set, err := sink.Listen(ctx, addrs, sink.Options{Hung: hung, Report: s.arrived})
	if err != nil {
		return nil, err
	}
	s.Set = set
	return s, nil
}

func (s *Sinks) arrived(a sink.Arrival) {
	s.mu.Lock()
	report := s.report
	s.mu.Unlock()
	if report != nil {
		report(a)
	}
}

func (s *Sinks) reportTo(f func(sink.Arrival)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report = f
}

// run is one run.
type run struct {
	ctx    context.Context // ended by a person, or by a server that takes nothing
	plan   Plan
	target target.Target
	sinks  *Sinks
	source *payload.Source

	began   time.Time
	ledger  *ledger
	series  *series
	pid     int
	before  procs.Usage
	machine Machine

	mu     sync.Mutex
	given  int // documents
	unsent int // documents that were due and nobody was free to send
}

// Run does a plan's work and says what it found. When ctx ends, it submits nothing more, lets
// what is on its way end, and gives the result of what it has.
func Run(ctx context.Context, plan Plan, s Setting) (*Result, error) {
	if err := plan.Check(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &run{ctx: ctx, plan: plan, target: s.Target, sinks: s.Sinks, source: payload.NewSource(), machine: newMachine(), pid: s.Pid}
	r.series = &series{every: 1, progress: s.Progress}
	if s.Pid != 0 {
		tree, err := procs.NewTree(s.Pid)
		if err != nil {
			return nil, err
		}
		r.series.tree = tree
		if r.before, err = tree.Usage(true); err != nil {
			return nil, err
		}
		r.series.last, r.series.peak = r.before, r.before
	}
	sinks := 0
	if s.Sinks != nil {
		sinks = s.Sinks.Len()
	}
	r.began = time.Now()
	r.ledger = newLedger(rand.Uint64(), len(plan.Queues), sinks, r.began)
	r.series.ledger, r.series.began = r.ledger, r.began
	s.Sinks.reportTo(r.ledger.arrive)
	defer s.Sinks.reportTo(nil)
	if err := r.work(stop); err != nil {
		return nil, err
	}
	return r.result(), nil
}

// work submits everything and waits for it to come, while the series looks on.
func (r *run) work(stop context.CancelCauseFunc) error {
	looking, done := context.WithCancel(context.WithoutCancel(r.ctx))
	var series sync.WaitGroup
	series.Go(func() { r.series.run(looking) })
	err := r.submitAll(stop)
	if err == nil && r.sinks != nil {
		r.drain()
	}
	done()
	series.Wait()
	r.series.usage(true)
	r.series.sample()
	return err
}

// submitAll runs the clients to their end.
func (r *run) submitAll(stop context.CancelCauseFunc) error {
	// What is on its way when a person ends the run may end too, for a while.
	sending, cut := context.WithCancel(context.WithoutCancel(r.ctx))
	defer cut()
	ended := make(chan struct{})
	defer close(ended)
	context.AfterFunc(r.ctx, func() {
		select {
		case <-time.After(r.grace()):
			cut()
		case <-ended:
		}
	})
	var clients sync.WaitGroup
	for range r.plan.Clients {
		c, err := r.target.Client()
		if err != nil {
			stop(err)
			break
		}
		clients.Go(func() {
			defer func() { _ = c.Close() }() // It held a connection only.
			if err := r.client(sending, c); err != nil {
				stop(err)
			}
		})
	}
	clients.Wait()
	if cause := context.Cause(r.ctx); r.ctx.Err() != nil && spoolerr.KindOf(cause) != spoolerr.Cancelled {
		return cause
	}
	return nil
}

// grace is how long what is on its way has after an interruption.
func (r *run) grace() time.Duration {
	const most = 5 * time.Second
	return min(most, r.plan.Drain)
}

// client submits until there is nothing more to do. Its error is that the server takes nothing.
func (r *run) client(ctx context.Context, c target.Client) error {
	const pause = 50 * time.Millisecond // after a refusal, in a closed loop
	for {
		due, more := r.next()
		if !more || !r.wait(time.Until(r.began.Add(due))) {
			return nil
		}
		if r.plan.Rate == 0 {
			due = time.Since(r.began)
		}
		doc, printed := r.ledger.submit(due, r.plan.Sizes, r.plan.UntilPrinted && r.sinks != nil)
		err := r.submit(ctx, c, doc)
		r.ledger.answer(doc.ID, err)
		switch {
		case err != nil:
			if err := r.ledger.hopeless(); err != nil {
				return spoolerr.Wrap(err, "the server takes no document")
			}
			if r.plan.Rate == 0 && !r.wait(pause) {
				return nil
			}
		case printed != nil && !r.waitPrinted(printed):
			return nil
		}
	}
}

func (r *run) submit(ctx context.Context, c target.Client, doc payload.Document) error {
	if r.plan.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.plan.Timeout)
		defer cancel()
	}
	return c.Submit(ctx, target.Document{
		Queue: r.plan.Queues[doc.Queue], Title: "bench", Size: doc.Size, Bytes: r.source.Reader(doc),
	})
}

// next gives when the next document is due, and whether there is one.
func (r *run) next() (due time.Duration, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Since(r.began)
	if due = now; r.plan.Rate > 0 {
		due = r.dueAt(r.given)
	}
	full := r.plan.Count > 0 && r.given >= r.plan.Count || r.given >= MaxDocuments
	over := r.plan.Duration > 0 && max(now, due) >= r.plan.Duration
	if full || over {
		if !full && r.plan.Rate > 0 && r.unsent == 0 {
			r.unsent = r.dueBy(r.plan.Duration) - r.given
		}
		return 0, false
	}
	r.given++
	return due, true
}

func (r *run) dueAt(n int) time.Duration {
	return time.Duration(float64(n) / r.plan.Rate * float64(time.Second))
}

// dueBy is how many documents are due before a time.
func (r *run) dueBy(d time.Duration) int {
	n := int(d.Seconds() * r.plan.Rate)
	for r.dueAt(n) < d {
		n++
	}
	if r.plan.Count > 0 {
		n = min(n, r.plan.Count)
	}
	return max(n, r.given)
}

// wait lets time pass; false says that the run ends.
func (r *run) wait(d time.Duration) bool {
	if d <= 0 {
		return r.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ctx.Done():
		return false
	}
}

func (r *run) waitPrinted(printed <-chan struct{}) bool {
	timer := time.NewTimer(r.plan.Drain)
	defer timer.Stop()
	select {
	case <-printed:
		return true
	case <-timer.C:
		return true // it counts as lost if it does not come until the end
	case <-r.ctx.Done():
		return false
	}
}

// drain waits until all that was accepted has come, as long as something comes; and then
// a little for what comes twice.
func (r *run) drain() {
	const after = 300 * time.Millisecond
	patience := r.plan.Drain
	if r.ctx.Err() != nil {
		patience = r.grace()
	}
	for {
		left, changed := r.ledger.outstanding()
		if left == 0 {
			r.wait(after)
			return
		}
		timer := time.NewTimer(patience)
		select {
		case <-changed:
			timer.Stop()
		case <-timer.C:
			return
		}
	}
}
