package bench

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/payload"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/sink"
)

// ledger is what is known of each document. Its methods may be called by several
// goroutines at a time.
type ledger struct {
	run    uint64
	queues int
	sinks  int // queue q prints to sink q modulo this; 0 for none of ours
	began  time.Time

	mu       sync.Mutex
	books    []entry
	wake     map[uint64]chan struct{} // of documents that somebody waits for
	changed  chan struct{}            // closed and made anew when a document arrives
	count    Counts
	open     int // accepted, and not come
	bytes    int64
	refusals map[string]int
	refusal  error // the first
	times    times
	tick     window
}

// times are the figures of the whole run.
type times struct {
	accept, first, whole *hdrhistogram.Histogram
	// lastAccept and lastArrival end the two rates.
	lastAccept, lastArrival time.Duration
}

// window is what happened since the last look.
type window struct {
	accepted, delivered int
	accept, whole       *hdrhistogram.Histogram
}

// entry is one document.
type entry struct {
	due   time.Duration // since the run began: when it should have been submitted
	state state
}

type state uint8

const (
	accepted state = 1 << iota
	delivered
)

// Counts are numbers of documents.
type Counts struct {
	Submitted int `json:"submitted"`
	// Unsent were due within the run and not sent, because every client was still busy.
	Unsent    int `json:"unsent"`
	Accepted  int `json:"accepted"`
	Refused   int `json:"refused"`
	Delivered int `json:"delivered"`
	// Lost were accepted and did not come; Pending is the same of a run that was interrupted
	// or has no sinks.
	Lost    int `json:"lost"`
	Pending int `json:"pending"`
	// Duplicates came whole once more; Corrupt have a wrong byte; Misrouted came out of
	// another queue's printer.
	Duplicates int `json:"duplicates"`
	Corrupt    int `json:"corrupt"`
	Misrouted  int `json:"misrouted"`
	// BrokenOff are connections that ended before their document did, Foreign those that
	// brought no document of this run. Neither is a fault by itself.
	BrokenOff int `json:"broken_off"`
	Foreign   int `json:"foreign"`
}

// Faults is how many documents did not come as they should.
func (c Counts) Faults() int { return c.Lost + c.Duplicates + c.Corrupt + c.Misrouted }

func newLedger(run uint64, queues, sinks int, began time.Time) *ledger {
	return &ledger{
		run: run, queues: queues, sinks: sinks, began: began, changed: make(chan struct{}),
		wake: make(map[uint64]chan struct{}), refusals: make(map[string]int),
		times: times{accept: newHistogram(), first: newHistogram(), whole: newHistogram()},
		tick:  window{accept: newHistogram(), whole: newHistogram()},
	}
}

// submit books a document that was due at a time, before its first byte leaves.
func (l *ledger) submit(due time.Duration, sizes Sizes, waits bool) (d payload.Document, printed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := uint64(len(l.books))
	l.books = append(l.books, entry{due: due})
	l.count.Submitted++
	if waits {
		c := make(chan struct{})
		l.wake[id], printed = c, c
	}
	return payload.Document{Run: l.run, ID: id, Queue: id % uint64(l.queues), Size: sizes.Of(id)}, printed
}

// answer books what the server said to a document.
func (l *ledger) answer(id uint64, err error) {
	now := time.Since(l.began)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.count.Refused++
		l.note(err)
		return
	}
	e := &l.books[id]
	l.count.Accepted++
	e.state |= accepted
	if e.state&delivered == 0 {
		l.open++
	}
	l.times.lastAccept = now
	l.tick.accepted++
	record(l.times.accept, now-e.due)
	record(l.tick.accept, now-e.due)
}

// note keeps a refusal's words; not more kinds of them than a person reads.
func (l *ledger) note(err error) {
	const kinds = 20
	text := err.Error()
	if l.refusal == nil {
		l.refusal = err
	}
	if _, known := l.refusals[text]; !known && len(l.refusals) >= kinds {
		text = "other reasons"
	}
	l.refusals[text]++
}

// arrive books what came out of a sink.
func (l *ledger) arrive(a sink.Arrival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ours := a.Known && a.Document.Run == l.run && a.Document.ID < uint64(len(l.books))
	switch {
	case a.Fault == payload.Empty:
	case a.Fault == payload.Corrupt || a.Fault == payload.TooLong:
		l.count.Corrupt++
	case !ours:
		l.count.Foreign++
	case a.Fault == payload.BrokenOff:
		l.count.BrokenOff++
	case int(a.Document.Queue)%l.sinks != a.Sink:
		l.count.Misrouted++
	case l.books[a.Document.ID].state&delivered != 0:
		l.count.Duplicates++
	default:
		l.deliver(a)
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// deliver books the first whole arrival of a document.
func (l *ledger) deliver(a sink.Arrival) {
	e := &l.books[a.Document.ID]
	if e.state&accepted != 0 {
		l.open--
	}
	e.state |= delivered
	l.count.Delivered++
	l.bytes += a.Bytes
	l.tick.delivered++
	end := a.Last.Sub(l.began)
	l.times.lastArrival = max(l.times.lastArrival, end)
	record(l.times.first, a.First.Sub(l.began)-e.due)
	record(l.times.whole, end-e.due)
	record(l.tick.whole, end-e.due)
	if c := l.wake[a.Document.ID]; c != nil {
		delete(l.wake, a.Document.ID)
		close(c)
	}
}

// outstanding is how many were accepted and have not come, and a channel that is closed
// when something comes.
func (l *ledger) outstanding() (int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, l.changed
}

// hopeless gives the first refusal, if none of many documents was accepted.
func (l *ledger) hopeless() error {
	const many = 20
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count.Accepted == 0 && l.count.Refused >= many {
		return l.refusal
	}
	return nil
}

// counts gives the numbers so far.
func (l *ledger) counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Refusal is what a server said to documents that it did not take.
type Refusal struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

func (l *ledger) refused() []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Refusal
	for _, text := range slices.Sorted(maps.Keys(l.refusals)) {
		all = append(all, Refusal{text, l.refusals[text]})
	}
	return all
}

// look gives what happened since the last look, into a sample.
func (l *ledger) look(s *Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Accepted, s.Delivered = l.tick.accepted, l.tick.delivered
	s.Waiting = l.open
	for h, to := range map[*hdrhistogram.Histogram]*Spread{l.tick.accept: &s.Accept, l.tick.whole: &s.EndToEnd} {
		if h.TotalCount() > 0 {
			*to = Spread{P50: seconds(h.ValueAtQuantile(50)), P99: seconds(h.ValueAtQuantile(99))}
			h.Reset()
		}
	}
	l.tick.accepted, l.tick.delivered = 0, 0
}
