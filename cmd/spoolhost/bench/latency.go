package bench

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency is a distribution of times, in seconds, exact to three digits.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99_9"`
	Max   float64 `json:"max"`
	// Curve is the whole distribution, for plots.
	Curve []Quantile `json:"curve,omitempty"`
}

// Quantile is a point of a distribution: so great a part of all took no longer.
type Quantile struct {
	Part    float64 `json:"part"`
	Seconds float64 `json:"seconds"`
}

// longest is the longest time that is told from longer ones.
const longest = time.Hour

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

// record counts one time.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d, time.Microsecond), longest).Microseconds()) // It is within bounds.
}

func seconds(microseconds int64) float64 { return float64(microseconds) / 1e6 }

// summary gives the figures of a histogram. The curve has its points where the plot has
// them: evenly on the scale of nines.
func summary(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	at := func(percent float64) float64 { return seconds(h.ValueAtQuantile(percent)) }
	l := Latency{
		Count: h.TotalCount(), Mean: h.Mean() / 1e6, Max: seconds(h.Max()),
		P50: at(50), P90: at(90), P99: at(99), P999: at(99.9),
	}
	const points, nines = 60, 5.0
	for i := range points {
		rest := math.Pow(10, -nines*float64(i)/points) // the part that took longer
		if rest*float64(l.Count) < 1 {
			break
		}
		l.Curve = append(l.Curve, Quantile{1 - rest, max(at(100*(1-rest)), seconds(h.Min()))})
	}
	return l
}
