// Package notify keeps the subscriptions of IPP (RFC 3995) and their events, for clients
// who come and ask (RFC 3996, ippget).
//
// The IPP front end imports it. It lives in memory: a subscription ends with the host, as
// its lease would.
package notify

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The bounds of what is kept.
const (
	MaxSubscriptions = 2000
	MaxEvents        = 100 // of one subscription
	MaxLease         = 7 * 24 * time.Hour
	DefaultLease     = 24 * time.Hour
	// EventLife is how long an event is kept for those who have not asked.
	EventLife = 5 * time.Minute
)

// Event is something that happened to a printer or job.
type Event struct {
	// Name is a value of notify-events, such as "job-completed"; Also are others that it
	// satisfies.
	Name string
	Also []string
	// Spooler, Printer and Job say to what.
	Spooler, Printer string
	Job              uint64
	Text             string
	At               time.Time
}

// Subscription is somebody's wish to hear of events.
type Subscription struct {
	ID int
	// Spooler is whose events are meant; Printer and Job, if not zero, narrow them.
	Spooler, Printer string
	Job              uint64
	Events           []string
	Owner            string
	// Known says that the owner's name was proved.
	Known    bool
	UserData []byte
	Interval int
	// Ends is the end of the lease; zero for one of a job, which ends with the job.
	Ends  time.Time
	Lease time.Duration
	// Sequence is the number of the last event.
	Sequence int

	jobEnded time.Time
	kept     []Numbered
}

// Numbered is an event with its number in a subscription.
type Numbered struct {
	Event
	Sequence int
}

// Book is all subscriptions. It is safe for concurrent use.
type Book struct {
	now func() time.Time

	mu   sync.Mutex
	next int
	all  map[int]*Subscription
}

// NewBook makes an empty book.
func NewBook(now func() time.Time) *Book {
	return &Book{now: now, next: 1, all: make(map[int]*Subscription)}
}

// Add takes a subscription in and gives it its id.
func (b *Book) Add(s Subscription) (Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	if len(b.all) >= MaxSubscriptions {
		return s, spoolerr.New(spoolerr.Exhausted, 0, "there are %d subscriptions, which is the most; try again later", MaxSubscriptions)
	}
	s.ID = b.next
	b.next++
	b.lease(&s, s.Lease)
	b.all[s.ID] = &s
	return s, nil
}

// lease sets a subscription's end; s is not shared or b.mu is held.
func (b *Book) lease(s *Subscription, d time.Duration) {
	if s.Job != 0 {
		return
	}
	if d <= 0 || d > MaxLease {
		d = MaxLease
	}
	s.Lease, s.Ends = d, b.now().Add(d)
}

// expire drops subscriptions whose time is over; b.mu is held.
func (b *Book) expire() {
	now := b.now()
	for id, s := range b.all {
		if !s.Ends.IsZero() && now.After(s.Ends) || !s.jobEnded.IsZero() && now.Sub(s.jobEnded) > EventLife {
			delete(b.all, id)
		}
	}
}

// Get gives one subscription.
func (b *Book) Get(id int) (Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	s := b.all[id]
	if s == nil {
		return Subscription{}, unknown(id)
	}
	return *s, nil
}

func unknown(id int) error {
	return spoolerr.New(spoolerr.NotFound, 0, "subscription %d does not exist, or its lease has ended", id)
}

// List gives the subscriptions that a filter keeps, in order of their ids.
func (b *Book) List(keep func(Subscription) bool) []Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	var list []Subscription
	for _, s := range b.all {
		if keep(*s) {
			list = append(list, *s)
		}
	}
	slices.SortFunc(list, func(x, y Subscription) int { return cmp.Compare(x.ID, y.ID) })
	return list
}

// Renew gives a subscription a new lease.
func (b *Book) Renew(id int, d time.Duration) (Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	s := b.all[id]
	if s == nil {
		return Subscription{}, unknown(id)
	}
	b.lease(s, d)
	return *s, nil
}

// Cancel ends a subscription.
func (b *Book) Cancel(id int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all[id] == nil {
		return unknown(id)
	}
	delete(b.all, id)
	return nil
}

// Empty says that nobody listens.
func (b *Book) Empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.all) == 0
}

// Post gives an event to everybody who wants it.
func (b *Book) Post(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	for _, s := range b.all {
		if s.Job != 0 && s.Job == e.Job && e.Name == "job-completed" {
			s.jobEnded = b.now()
		}
		if s.wants(e) {
			s.Sequence++
			s.kept = append(s.kept, Numbered{e, s.Sequence})
			s.kept = s.kept[max(0, len(s.kept)-MaxEvents):]
		}
	}
}

func (s *Subscription) wants(e Event) bool {
	switch {
	case spool.Fold(s.Spooler) != spool.Fold(e.Spooler),
		s.Printer != "" && spool.Fold(s.Printer) != spool.Fold(e.Printer),
		s.Job != 0 && s.Job != e.Job:
		return false
	}
	return slices.Contains(s.Events, e.Name) || slices.ContainsFunc(e.Also, func(n string) bool { return slices.Contains(s.Events, n) })
}

// Since gives the events of a subscription from a number on.
func (b *Book) Since(id, sequence int) ([]Numbered, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	s := b.all[id]
	if s == nil {
		return nil, unknown(id)
	}
	oldest := b.now().Add(-EventLife)
	s.kept = slices.DeleteFunc(s.kept, func(n Numbered) bool { return n.At.Before(oldest) })
	var list []Numbered
	for _, n := range s.kept {
		if n.Sequence >= sequence {
			list = append(list, n)
		}
	}
	return list, nil
}
