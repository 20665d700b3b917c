package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// maxWaiting bounds the bytes that wait for the disk.
const maxWaiting = 1 << 20

// Options are the options of Open. Zero fields stand for the defaults.
type Options struct {
	// Ring is how many events are kept in memory; the default is 8,192.
	Ring int
	// MaxSize is the file's size at which it becomes the old file; the default is 8 MiB.
	MaxSize int64
	// Now is the clock; nil stands for time.Now.
	Now func() time.Time
}

// Log is the event log. It is safe for concurrent use.
type Log struct {
	now  func() time.Time
	file *rotated
	wake chan struct{} // one token while lines wait

	writing sync.Mutex // held while the file is written; taken before mu

	mu      sync.Mutex
	ring    ring
	seq     uint64
	waiting []byte // lines for the file
	lines   int    // how many are waiting
	dropped int    // events that did not get into the file
	changed chan struct{}
	closed  bool
}

// Open opens the log in the file at path and reads its newest events. Lines that are
// damaged are passed over. The old file is path with ".1" appended.
func Open(path string, opts Options) (*Log, error) {
	if opts.Ring <= 0 {
		opts.Ring = 8192
	}
	if opts.MaxSize <= 0 {
		opts.MaxSize = 8 << 20
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	l := &Log{now: opts.Now, wake: make(chan struct{}, 1), changed: make(chan struct{}), ring: ring{size: opts.Ring}}
	var err error
	l.file, err = openRotated(path, opts.MaxSize, opts.Ring, l.load)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "event log %s cannot be opened; check its folder and its rights", path)
	}
	return l, nil
}

// load takes an event that was read from the file.
func (l *Log) load(e Event) {
	l.ring.add(e)
	l.seq = max(l.seq, e.Seq)
}

// Add records an event. It never waits for the disk and never fails: what cannot be
// written is kept in memory, and counted.
func (l *Log) Add(e Event) {
	e = e.clean()
	if e.Time.IsZero() {
		e.Time = l.now()
	}
	e.Time = e.Time.Round(0).UTC()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(e)
	l.signal()
}

func (l *Log) add(e Event) {
	l.seq++
	e.Seq = l.seq
	l.ring.add(e)
	close(l.changed)
	l.changed = make(chan struct{})
	line, err := json.Marshal(e)
	if err != nil || l.closed || len(l.waiting)+len(line) > maxWaiting {
		l.dropped++
		return
	}
	l.waiting = append(append(l.waiting, line...), '\n')
	l.lines++
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run writes events to the file until ctx ends, then writes what is left. It returns nil.
func (l *Log) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			l.Flush()
			return nil
		case <-l.wake:
			l.Flush()
		}
	}
}

// Flush writes the waiting events to the file, without syncing it.
func (l *Log) Flush() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.flush()
}

func (l *Log) flush() {
	for {
		data, lines := l.take()
		if lines == 0 {
			return
		}
		wrote := l.file.write(data) == nil
		l.settle(lines, wrote)
		if !wrote {
			return
		}
	}
}

func (l *Log) take() (data []byte, lines int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	data, lines = l.waiting, l.lines
	l.waiting, l.lines = nil, 0
	return data, lines
}

// settle counts what could not be written. It says so once when that begins, which only
// the memory may show, and once, with the number, when the file takes lines again.
func (l *Log) settle(lines int, wrote bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.dropped
	switch {
	case !wrote:
		l.dropped += lines
		if before == 0 && !l.closed {
			l.add(l.notice("events cannot be written to the event log's file; free space on its file system"))
		}
	case before > 0 && !l.closed:
		l.dropped = 0
		l.add(l.notice(fmt.Sprintf("%d events were not written to the event log's file; it takes events again", before)))
	}
}

func (l *Log) notice(text string) Event {
	return Event{Time: l.now().Round(0).UTC(), ID: EventsNotWritten, Severity: Warning, Object: Host, Text: text}
}

// Last gives the Seq of the newest event, 0 if there is none.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// Select gives the matching events that are in memory, in order of time.
func (l *Log) Select(f Filter) []Event {
	events, _, _ := l.find(f)
	return events
}

// find also gives the channel that the next event or Close closes, and whether that was
// Close already.
func (l *Log) find(f Filter) (events []Event, changed <-chan struct{}, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ring.find(f), l.changed, l.closed
}

// Follow gives what Select gives, and then every matching event as it happens, until ctx
// ends or the log is closed. A consumer that falls behind by more than the memory holds
// misses events; their Seq shows it.
func (l *Log) Follow(ctx context.Context, f Filter) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			events, changed, closed := l.find(f)
			for _, e := range events {
				if ctx.Err() != nil || !yield(e) {
					return
				}
				f.AfterSeq = e.Seq
			}
			if closed {
				return
			}
			f.Limit = 0 // it bounds only what was there at first
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	}
}

// Close writes what is left and closes the file. It may be called again. Events added
// later are kept in memory only.
func (l *Log) Close() error {
	if l.end() {
		return nil
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.flush()
	l.file.close()
	return nil
}

// end marks the log as closed, so that no line is waiting after the last flush.
func (l *Log) end() (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	again = l.closed
	l.closed = true
	if !again {
		close(l.changed)
		l.changed = make(chan struct{})
	}
	return again
}
