package portmon

import (
	"context"
	"time"
)

// patience paces calls to a device that takes nothing, so that a module that answers at
// once is not called in a tight loop.
type patience struct {
	pause   func(context.Context, time.Duration) error
	delay   time.Duration
	waiting bool
}

const (
	firstPause = 20 * time.Millisecond
	maxPause   = time.Second
)

func newPatience(pause func(context.Context, time.Duration) error) *patience {
	return &patience{pause: pause, delay: firstPause}
}

func (p *patience) after(ctx context.Context, n int64, reason string, progress Progress) error {
	if n > 0 && reason == "" {
		if p.waiting {
			p.waiting = false
			progress.Waiting("")
		}
		p.delay = firstPause
		return nil
	}
	if reason != "" || !p.waiting {
		p.waiting = true
		if reason == "" {
			reason = "the device takes no data"
		}
		progress.Waiting(reason)
	}
	d := p.delay
	p.delay = min(2*p.delay, maxPause)
	return p.pause(ctx, d)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
