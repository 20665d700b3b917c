package ipp

import (
	"net/netip"
	"testing"
	"time"
)

func TestRateLimits(t *testing.T) {
	now := time.Unix(1000, 0)
	network, loopback := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct {
		name string
		rate float64
		from netip.Addr
		want int // of 30 requests at one moment
	}{
		{"the network, in a burst of ten seconds' share", 2, network, 20},
		{"this machine", 2, loopback, 30},
		{"no limit", -1, network, 30},
		{"the default", 0, network, 30},
	} {
		s := New(Config{Limits: Limits{Rate: c.rate}, Now: func() time.Time { return now }})
		allowed := 0
		for range 30 {
			if !s.tooMany(c.from) {
				allowed++
			}
		}
		if allowed != c.want {
			t.Errorf("%s: %d requests were allowed, want %d", c.name, allowed, c.want)
		}
		s.Close(t.Context())
	}
}
