package cluster

import (
	"sync"
	"time"
)

// complaints keep what goes wrong with every renewal of a lease from being said as often.
type complaints struct {
	mu   sync.Mutex
	said map[string]time.Duration
}

const (
	complainEvery  = time.Minute
	mostComplaints = 100
)

// may says whether a text may be said at a time of the monotonic clock: for the first time,
// or after a while.
func (c *complaints) may(text string, now time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, known := c.said[text]; known && now-last < complainEvery {
		return false
	}
	if c.said == nil || len(c.said) >= mostComplaints {
		c.said = make(map[string]time.Duration)
	}
	c.said[text] = now
	return true
}

// forget has everything said again at once when it comes again; false if nothing was said.
func (c *complaints) forget() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	any := len(c.said) > 0
	clear(c.said)
	return any
}
