package access

import (
	"net/netip"
	"sync"
	"time"
)

// Rates bounds the requests of each address: so many a second in the long run, and a burst
// of ten times as many.
type Rates struct {
	rate float64
	now  func() time.Time

	mu      sync.Mutex
	buckets map[netip.Addr]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

const burst = 10

// NewRates makes rates of so many requests a second.
func NewRates(rate float64, now func() time.Time) *Rates {
	return &Rates{rate: rate, now: now, buckets: make(map[netip.Addr]*bucket)}
}

// Allow takes one request from an address's share.
func (r *Rates) Allow(from netip.Addr) bool {
	const most = 10_000 // addresses that are remembered
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.buckets[from]
	if b == nil {
		if len(r.buckets) >= most {
			r.forget(now)
		}
		b = &bucket{left: r.rate * burst, at: now}
		r.buckets[from] = b
	}
	b.left = min(r.rate*burst, b.left+now.Sub(b.at).Seconds()*r.rate)
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// Left says whether an address has something left, and takes nothing.
func (r *Rates) Left(from netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.buckets[from]
	return b == nil || b.left+r.now().Sub(b.at).Seconds()*r.rate >= 1
}

// forget drops the addresses that have their full share again, and if there are none,
// all: a flood from many addresses must not fill the memory.
func (r *Rates) forget(now time.Time) {
	for addr, b := range r.buckets {
		if now.Sub(b.at).Seconds() > burst {
			delete(r.buckets, addr)
		}
	}
	const most = 9_000
	if len(r.buckets) > most {
		clear(r.buckets)
	}
}
