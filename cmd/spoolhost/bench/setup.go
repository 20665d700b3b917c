package bench

import (
	"context"
	"fmt"
	"sync"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/target"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Queues are queues that were made for a run.
type Queues struct {
	Names  []string
	target target.Target
}

// SetUp makes n queues, which print to the sinks in turn. If one cannot be made, those that
// were are removed.
func SetUp(ctx context.Context, to target.Target, prefix string, n int, sinks *Sinks) (*Queues, error) {
	q := &Queues{target: to}
	for i := range n {
		q.Names = append(q.Names, fmt.Sprintf("%s%0*d", prefix, len(fmt.Sprint(n)), i+1))
	}
	err := q.each(ctx, func(i int) error { return to.AddQueue(ctx, q.Names[i], sinks.Addr(i%sinks.Len())) })
	if err != nil {
		_ = q.Remove(context.WithoutCancel(ctx)) // The first error says more.
		return nil, err
	}
	return q, nil
}

// Remove takes the queues away, with their jobs.
func (q *Queues) Remove(ctx context.Context) error {
	return q.each(ctx, func(i int) error { return q.target.RemoveQueue(ctx, q.Names[i]) })
}

// each does something to every queue, some at a time, and stops at the first error.
func (q *Queues) each(ctx context.Context, do func(i int) error) error {
	const atATime = 4
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range atATime {
		workers.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					stop(err)
				}
			}
		})
	}
	for i := 0; i < len(q.Names) && ctx.Err() == nil; i++ {
		next <- i
	}
	close(next)
	workers.Wait()
	if ctx.Err() != nil {
		return spoolerr.Wrap(context.Cause(ctx), "queues of the load test")
	}
	return nil
}
