package bench

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/procs"
)

// Sample is a stretch of a run.
type Sample struct {
	// At is its end, Seconds its length.
	At        float64 `json:"at"`
	Seconds   float64 `json:"seconds"`
	Accepted  int     `json:"accepted"`
	Delivered int     `json:"delivered"`
	// Waiting is how many documents are accepted and not printed.
	Waiting  int          `json:"waiting"`
	Accept   Spread       `json:"accept"`
	EndToEnd Spread       `json:"end_to_end"`
	Server   *procs.Usage `json:"server,omitempty"`
}

// Spread is a short form of a distribution, in seconds; zero if there was nothing.
type Spread struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// series collects samples. When it has many, neighbours become one: a run of a week costs
// as much memory as one of a minute.
type series struct {
	ledger   *ledger
	tree     *procs.Tree // nil if the server is not measured
	progress func(Counts, time.Duration)

	samples []Sample
	every   int // ticks in a sample
	peak    procs.Usage
	last    procs.Usage
	began   time.Time
}

// tickEvery is how often a run is looked at.
const tickEvery = 250 * time.Millisecond

// run looks until ctx ends.
func (s *series) run(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	// Measuring the server reads all of /proc, and shares its memory map.
	const usageEvery, sharesEvery = 2, 8
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if n%usageEvery == 0 {
			s.usage(n%sharesEvery == 0)
		}
		if s.progress != nil {
			s.progress(s.ledger.counts(), time.Since(s.began))
		}
		if n%s.every == 0 {
			s.sample()
		}
	}
}

// usage measures the server, and keeps the peaks.
func (s *series) usage(shares bool) {
	if s.tree == nil {
		return
	}
	u, err := s.tree.Usage(shares)
	if err != nil {
		return // it ended, which the submissions tell better
	}
	s.last = u
	s.peak = procs.Usage{
		CPU: max(s.peak.CPU, u.CPU), RSS: max(s.peak.RSS, u.RSS), PSS: max(s.peak.PSS, u.PSS),
		Root: max(s.peak.Root, u.Root), Processes: max(s.peak.Processes, u.Processes),
	}
}

// sample closes a stretch.
func (s *series) sample() {
	at := time.Since(s.began).Seconds()
	x := Sample{At: at, Seconds: at}
	if n := len(s.samples); n > 0 {
		x.Seconds -= s.samples[n-1].At
	}
	s.ledger.look(&x)
	if s.tree != nil {
		u := s.last
		x.Server = &u
	}
	const most = 400
	if s.samples = append(s.samples, x); len(s.samples) >= most {
		s.samples, s.every = halve(s.samples), 2*s.every
	}
}

// halve makes one sample of every two.
func halve(all []Sample) []Sample {
	var half []Sample
	for i := 1; i < len(all); i += 2 {
		half = append(half, merge(all[i-1], all[i]))
	}
	return half
}

func merge(a, b Sample) Sample {
	return Sample{
		At: b.At, Seconds: a.Seconds + b.Seconds, Accepted: a.Accepted + b.Accepted, Delivered: a.Delivered + b.Delivered, Waiting: b.Waiting,
		Accept:   mergeSpread(a.Accept, a.Accepted, b.Accept, b.Accepted),
		EndToEnd: mergeSpread(a.EndToEnd, a.Delivered, b.EndToEnd, b.Delivered),
		Server:   b.Server,
	}
}

// mergeSpread weighs medians by their numbers; of the slowest it keeps the slower.
func mergeSpread(a Spread, n int, b Spread, m int) Spread {
	if n+m == 0 {
		return Spread{}
	}
	return Spread{P50: (a.P50*float64(n) + b.P50*float64(m)) / float64(n+m), P99: max(a.P99, b.P99)}
}
