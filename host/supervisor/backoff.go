package supervisor

import (
	"math"
	"math/rand/v2"
	"time"
)

// Backoff decides how long to wait before the next start. It is a pure value: the same
// failures at the same times give the same delays, but for the jitter.
type Backoff struct {
	// Base is the delay after the second failure in a row; the first restart is at once.
	Base time.Duration
	// Max bounds the delay.
	Max time.Duration
	// HalfLife is the time in which the count of failures falls to its half.
	HalfLife time.Duration
	// Jitter is the share of the delay that is random, 0 to 1.
	Jitter float64
	// Limit is the count at which to give up; 0 is without limit.
	Limit float64

	score float64
	at    time.Time
}

// DefaultBackoff starts at 100 ms and ends at 30 s. A module that fails at once at every
// start reaches its limit after the ninth, which is after about half a minute.
func DefaultBackoff() Backoff {
	return Backoff{Base: 100 * time.Millisecond, Max: 30 * time.Second, HalfLife: time.Minute, Jitter: 0.2, Limit: 7.5}
}

// Failed counts a failure at now and gives the delay before the next start.
func (b *Backoff) Failed(now time.Time) time.Duration {
	b.decay(now)
	b.score++
	n := math.Round(b.score)
	if n < 2 {
		return 0
	}
	delay := time.Duration(math.Min(float64(b.Max), float64(b.Base)*math.Pow(2, n-2)))
	spread := float64(delay) * b.Jitter
	return delay - time.Duration(spread/2) + time.Duration(rand.Float64()*spread)
}

// Exhausted says that the failures have reached the limit: starting again by itself would
// only go on failing.
func (b *Backoff) Exhausted() bool { return b.Limit > 0 && b.score >= b.Limit }

// Eased is told that the module has done its work since the last failure: that weighs
// against the failures before.
func (b *Backoff) Eased() { b.score /= 2 }

// Reset forgets all failures.
func (b *Backoff) Reset() { b.score = 0 }

func (b *Backoff) decay(now time.Time) {
	if !b.at.IsZero() && now.After(b.at) {
		b.score *= math.Exp2(-float64(now.Sub(b.at)) / float64(b.HalfLife))
	}
	b.at = now
}
