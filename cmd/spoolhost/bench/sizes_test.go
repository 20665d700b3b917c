package bench

import (
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/payload"
)

func TestParseSizes(t *testing.T) {
	for _, c := range []struct {
		text      string
		low, high int64 // of 2000 documents
		mean      float64
	}{
		{"10KiB", 10240, 10240, 10240},
		{"10KB", 10000, 10000, 10000},
		{"64", 64, 64, 64},
		{"1KB-3KB", 1000, 3000, 2000},
		{"100*1,200*3", 100, 200, 175},
		{"lognormal:1MB,0.5", 100_000, 20_000_000, 1_133_000}, // the mean is e^(sigma²/2) times the median
	} {
		s, err := ParseSizes(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		const n = 2000
		sum := 0.0
		for id := range uint64(n) {
			size := s.Of(id)
			if size < c.low || size > c.high {
				t.Fatalf("%s: %d bytes", c.text, size)
			}
			if size != s.Of(id) {
				t.Fatalf("%s: document %d has two sizes", c.text, id)
			}
			sum += float64(size)
		}
		if mean := sum / n; mean < 0.93*c.mean || mean > 1.07*c.mean {
			t.Errorf("%s: the mean is %.0f, want %.0f", c.text, mean, c.mean)
		}
	}
}

func TestSizesThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "x", "10kb", "-5", "10KB-1KB", "10KB-", "63", "0", "1KB*0", "1KB*x", "1KB*9999999", ",", "lognormal:", "lognormal:1KB", "lognormal:1KB,0",
		"lognormal:1KB,NaN", "lognormal:1KB,-1", "99999999999999999999", "9999999GiB",
	} {
		if _, err := ParseSizes(text); err == nil {
			t.Errorf("%q passes", text)
		} else if !strings.Contains(err.Error(), "10KiB") {
			t.Errorf("%q: %v does not say what would be right", text, err)
		}
	}
}

func FuzzParseSizes(f *testing.F) {
	for _, s := range []string{"10KB*8,1MB*2", "1KB-1MB", "lognormal:50KB,1.2", "7GiB"} {
		f.Add(s, uint64(3))
	}
	f.Fuzz(func(t *testing.T, text string, id uint64) {
		s, err := ParseSizes(text)
		if err != nil {
			return
		}
		if n := s.Of(id); n < payload.MinSize || n > maxSize {
			t.Errorf("%q gives %d bytes", text, n)
		}
	})
}
