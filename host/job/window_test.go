package job

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(hour, minute, second int) time.Time {
	return time.Date(2026, 3, 1, hour, minute, second, 0, time.UTC)
}

func TestWindow(t *testing.T) {
	const h = 60
	cases := []struct {
		start, until uint32
		now          time.Time
		wait         time.Duration
	}{
		{0, 0, at(3, 0, 0), 0},
		{5 * h, 5 * h, at(3, 0, 0), 0},
		{8 * h, 17 * h, at(7, 59, 30), 30 * time.Second},
		{8 * h, 17 * h, at(8, 0, 0), 0},
		{8 * h, 17 * h, at(16, 59, 59), 0},
		{8 * h, 17 * h, at(17, 0, 0), 15 * time.Hour},
		{22 * h, 6 * h, at(21, 0, 0), time.Hour},
		{22 * h, 6 * h, at(23, 59, 59), 0},
		{22 * h, 6 * h, at(0, 0, 0), 0},
		{22 * h, 6 * h, at(6, 0, 0), 16 * time.Hour},
		{0, 1, at(0, 0, 59), 0},
		{0, 1, at(0, 1, 0), 24*time.Hour - time.Minute},
		{1439, 0, at(23, 58, 0), time.Minute},
		{1439, 0, at(23, 59, 59), 0},
	}
	for _, c := range cases {
		for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 5*3600+1800)} {
			now := c.now.In(zone)
			if got := UntilWindow(c.start, c.until, now); got != c.wait || InWindow(c.start, c.until, now) != (c.wait == 0) {
				t.Errorf("%d to %d at %v: %v, want %v", c.start, c.until, now, got, c.wait)
			}
		}
	}
}

func TestWindowOpensWhenItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start, until := rapid.Uint32Range(0, 1439).Draw(t, "start"), rapid.Uint32Range(0, 1439).Draw(t, "until")
		now := t0.Add(time.Duration(rapid.Int64Range(0, int64(72*time.Hour)).Draw(t, "now")))
		wait := UntilWindow(start, until, now)
		if wait < 0 || wait > 24*time.Hour || !InWindow(start, until, now.Add(wait)) {
			t.Fatalf("wait %v", wait)
		}
		if wait > 0 && InWindow(start, until, now.Add(wait-1)) {
			t.Fatalf("open before %v", wait)
		}
	})
}
