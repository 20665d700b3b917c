package bench

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/payload"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/sink"
)

// came makes the arrival of a document at the sink of its queue.
func came(d payload.Document, fault payload.Fault) sink.Arrival {
	now := time.Now()
	return sink.Arrival{Sink: int(d.Queue), Document: d, Known: true, Fault: fault, Bytes: d.Size, First: now, Last: now}
}

func TestLedgerFindsWhatWentWrong(t *testing.T) {
	sizes, _ := ParseSizes("100")
	doc := func(l *ledger) payload.Document {
		d, _ := l.submit(0, sizes, false)
		l.answer(d.ID, nil)
		return d
	}
	for _, c := range []struct {
		name  string
		event func(*ledger)
		want  Counts
		open  int
	}{
		{"all well", func(l *ledger) { l.arrive(came(doc(l), payload.Good)) }, Counts{Submitted: 1, Accepted: 1, Delivered: 1}, 0},
		{"lost", func(l *ledger) { doc(l) }, Counts{Submitted: 1, Accepted: 1}, 1},
		{"twice", func(l *ledger) {
			d := doc(l)
			l.arrive(came(d, payload.Good))
			l.arrive(came(d, payload.Good))
		}, Counts{Submitted: 1, Accepted: 1, Delivered: 1, Duplicates: 1}, 0},
		{"a wrong byte", func(l *ledger) { l.arrive(came(doc(l), payload.Corrupt)) }, Counts{Submitted: 1, Accepted: 1, Corrupt: 1}, 1},
		{"broken off, then whole", func(l *ledger) {
			d := doc(l)
			l.arrive(came(d, payload.BrokenOff))
			l.arrive(came(d, payload.Good))
		}, Counts{Submitted: 1, Accepted: 1, Delivered: 1, BrokenOff: 1}, 0},
		{"another queue's printer", func(l *ledger) {
			a := came(doc(l), payload.Good)
			a.Sink = 1
			l.arrive(a)
		}, Counts{Submitted: 1, Accepted: 1, Misrouted: 1}, 1},
		{"of another run", func(l *ledger) {
			d := doc(l)
			d.Run++
			l.arrive(came(d, payload.Good))
		}, Counts{Submitted: 1, Accepted: 1, Foreign: 1}, 1},
		{"never submitted", func(l *ledger) { l.arrive(came(payload.Document{Run: 9, ID: 4, Size: 100}, payload.Good)) }, Counts{Foreign: 1}, 0},
		{"a test of the line", func(l *ledger) { l.arrive(sink.Arrival{Fault: payload.Empty}) }, Counts{}, 0},
		{"printed before the answer", func(l *ledger) {
			d, _ := l.submit(0, sizes, false)
			l.arrive(came(d, payload.Good))
			l.answer(d.ID, nil)
		}, Counts{Submitted: 1, Accepted: 1, Delivered: 1}, 0},
		{"refused", func(l *ledger) {
			d, _ := l.submit(0, sizes, false)
			l.answer(d.ID, errors.New("no"))
		}, Counts{Submitted: 1, Refused: 1}, 0},
		{"printed, and the answer was lost", func(l *ledger) {
			d, _ := l.submit(0, sizes, false)
			l.answer(d.ID, errors.New("the line broke"))
			l.arrive(came(d, payload.Good))
		}, Counts{Submitted: 1, Refused: 1, Delivered: 1}, 0},
	} {
		l := newLedger(9, 2, 2, time.Now())
		c.event(l)
		if open, _ := l.outstanding(); l.counts() != c.want || open != c.open {
			t.Errorf("%s: %+v with %d outstanding, want %+v with %d", c.name, l.counts(), open, c.want, c.open)
		}
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	sizes, _ := ParseSizes("100")
	l := newLedger(1, 1, 1, time.Now())
	for i := range 1000 {
		d, _ := l.submit(0, sizes, false)
		l.answer(d.ID, errors.New("no "+time.Duration(i).String()))
	}
	all, sum := l.refused(), 0
	for _, r := range all {
		sum += r.Count
	}
	if len(all) > 21 || sum != 1000 {
		t.Errorf("%d kinds of %d refusals", len(all), sum)
	}
	if l.hopeless() == nil {
		t.Error("a server that refuses everything is given hope")
	}
}

func TestLatency(t *testing.T) {
	h := newHistogram()
	for i := range 10_000 {
		record(h, time.Duration(i+1)*time.Millisecond)
	}
	l := summary(h)
	for name, c := range map[string]struct{ got, want float64 }{
		"p50": {l.P50, 5}, "p90": {l.P90, 9}, "p99": {l.P99, 9.9}, "p99.9": {l.P999, 9.99}, "max": {l.Max, 10}, "mean": {l.Mean, 5.0005},
	} {
		if math.Abs(c.got-c.want) > c.want/500 {
			t.Errorf("%s is %v, want %v", name, c.got, c.want)
		}
	}
	for i := 1; i < len(l.Curve); i++ {
		if l.Curve[i].Part <= l.Curve[i-1].Part || l.Curve[i].Seconds < l.Curve[i-1].Seconds {
			t.Errorf("the curve falls at %+v", l.Curve[i])
		}
	}
	record(h, 24*time.Hour)
	record(h, -time.Second)
	if got := summary(h).Max; math.Abs(got-3600) > 10 {
		t.Errorf("a day is counted as %v seconds", got)
	}
	if empty := summary(newHistogram()); empty.Count != 0 || empty.Max != 0 {
		t.Errorf("%+v", empty)
	}
}

func TestSeriesStaysSmall(t *testing.T) {
	l := newLedger(1, 1, 1, time.Now())
	s := &series{ledger: l, every: 1, began: l.began}
	sizes, _ := ParseSizes("100")
	const n = 3000
	for range n {
		d, _ := l.submit(0, sizes, false)
		l.answer(d.ID, nil)
		s.sample()
	}
	accepted := 0
	for i, x := range s.samples {
		accepted += x.Accepted
		if i > 0 && x.At < s.samples[i-1].At {
			t.Error("samples are out of order")
		}
	}
	if len(s.samples) > 400 || s.every == 1 || accepted != n {
		t.Errorf("%d samples of every %d ticks with %d documents", len(s.samples), s.every, accepted)
	}
}
