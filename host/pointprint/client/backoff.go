package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is a pause that doubles, with jitter.
type backoff struct {
	first, most, last time.Duration
}

// next gives the next pause.
func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, b.first), b.most)
	return b.last + time.Duration(rand.Int64N(int64(b.last)/4+1))
}

// wait pauses, or gives the error of a context that ends before.
func (b *backoff) wait(ctx context.Context) error {
	t := time.NewTimer(b.next())
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
