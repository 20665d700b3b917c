package notify

import (
	"errors"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestBook(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := NewBook(func() time.Time { return now })
	add := func(s Subscription) Subscription {
		s.Spooler = "node"
		s, err := b.Add(s)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	post := func(name, printer string, job uint64) {
		b.Post(Event{Name: name, Also: []string{"any"}, Spooler: "node", Printer: printer, Job: job, At: now})
	}
	count := func(id, from int) int {
		list, err := b.Since(id, from)
		if err != nil {
			t.Errorf("subscription %d: %v", id, err)
		}
		return len(list)
	}
	hall := add(Subscription{Printer: "Hall", Events: []string{"a"}, Lease: time.Hour})
	all := add(Subscription{Events: []string{"any"}})
	job := add(Subscription{Job: 7, Events: []string{"job-completed"}})
	if all.Lease != MaxLease || !job.Ends.IsZero() {
		t.Errorf("leases: %+v %+v", all, job)
	}
	post("a", "hall", 0)
	post("b", "hall", 0)
	post("a", "attic", 0)
	post("job-completed", "attic", 7)
	if count(hall.ID, 0) != 1 || count(all.ID, 0) != 4 || count(all.ID, 4) != 1 || count(job.ID, 0) != 1 {
		t.Error("events went astray")
	}
	for range MaxEvents + 10 {
		post("a", "hall", 0)
	}
	if list, _ := b.Since(hall.ID, 0); len(list) != MaxEvents || list[len(list)-1].Sequence != MaxEvents+11 {
		t.Errorf("%d events are kept", len(list))
	}
	now = now.Add(EventLife + time.Second)
	if count(all.ID, 0) != 0 {
		t.Error("old events are kept")
	}
	if _, err := b.Get(job.ID); !errors.Is(err, spoolerr.NotFound) {
		t.Errorf("the subscription of a finished job: %v", err)
	}
	now = now.Add(time.Hour)
	if _, err := b.Renew(hall.ID, time.Hour); !errors.Is(err, spoolerr.NotFound) {
		t.Errorf("an ended lease: %v", err)
	}
	if err := b.Cancel(all.ID); err != nil || !b.Empty() {
		t.Errorf("%v", err)
	}
	for range MaxSubscriptions {
		add(Subscription{})
	}
	if _, err := b.Add(Subscription{}); !errors.Is(err, spoolerr.Exhausted) {
		t.Errorf("one too many: %v", err)
	}
}
