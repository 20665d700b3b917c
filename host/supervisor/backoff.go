package supervisor

import (
	"math"
	"time"
)

// Backoff decides how long to wait before the next start. It is a pure value: the same
// failures after the same times, with the same jitter, give the same delays.
type Backoff struct {
	// Base is the delay after the second failure in a row; the first restart is at once.
	Base time.Duration
	// Max bounds the delay.
	Max time.Duration
	// HalfLife is the time of running in which the count of failures falls to its half.
	// Time in which the module starts or waits heals nothing: one that hangs in each start
	// would never be given up.
	HalfLife time.Duration
	// Jitter is the share of the delay that is random, 0 to 1.
	Jitter float64
	// Limit is the count at which to give up; 0 is without limit.
	Limit float64

	score float64
}

// DefaultBackoff starts at 100 ms and ends at 30 s. A module that fails at every start
// reaches its limit with the tenth, which is after about half a minute if it fails at once.
func DefaultBackoff() Backoff {
	return Backoff{Base: 100 * time.Millisecond, Max: 30 * time.Second, HalfLife: time.Minute, Jitter: 0.2, Limit: 9.5}
}

// Failed counts a failure of a module that has run for so long since the last one, and
// gives the delay before the next start. random, from 0 to 1, is where in the jitter it
// lies.
func (b *Backoff) Failed(ran time.Duration, random float64) time.Duration {
	if ran > 0 {
		b.score *= math.Exp2(-float64(ran) / float64(b.HalfLife))
	}
	b.score++
	n := math.Round(b.score)
	if n < 2 {
		return 0
	}
	delay := time.Duration(math.Min(float64(b.Max), float64(b.Base)*math.Pow(2, n-2)))
	spread := float64(delay) * b.Jitter
	return delay - time.Duration(spread/2) + time.Duration(random*spread)
}

// Exhausted says that the failures have reached the limit: starting again by itself would
// only go on failing.
func (b *Backoff) Exhausted() bool { return b.Limit > 0 && b.score >= b.Limit }

// Eased is told that the module has done its work since the last failure: that weighs
// against the failures before.
func (b *Backoff) Eased() { b.score /= 2 }

// Reset forgets all failures.
func (b *Backoff) Reset() { b.score = 0 }
