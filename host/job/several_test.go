package job

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
)

// owner opens the bench's queue as a cluster spooler's owner does, and follows.
func (b *queueBench) owner(epoch uint64, came func(string)) *Queue {
	b.Helper()
	q := NewOwner(b.bolt, "Cluster", b.clock.now)
	_, err := q.Own(b.Context(), epoch)
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := q.Follow(context.Background(), came); err != nil {
			b.Error(err)
		}
	}()
	b.Cleanup(func() {
		q.Close()
		<-done
	})
	return q
}

func ref(id string) document.Ref { return document.Ref{ID: id, Size: 1} }

// TestSeveralWriters: what any node accepts comes to the owner, once, and in the order in
// which it was accepted, whoever owns the spooler by then.
func TestSeveralWriters(t *testing.T) {
	const nodes, each = 3, 40
	b := newQueue(t)
	var mu sync.Mutex
	kicked := 0
	accept := func(q *Queue, n int) (ids []uint64) {
		for range n {
			j, err := q.Accept(t.Context(), Job{Printer: "P", Document: ref("d")})
			if err != nil {
				t.Error(err)
				return ids
			}
			ids = append(ids, j.ID)
		}
		return ids
	}
	before := accept(Intake(b.bolt, "Cluster", b.clock.now), 5) // nobody owns it
	q := b.owner(7, func(string) { mu.Lock(); defer mu.Unlock(); kicked++ })
	all := before
	var writers sync.WaitGroup
	for n := range nodes {
		writer := q
		if n > 0 {
			writer = Intake(b.bolt, "CLUSTER", b.clock.now)
		}
		writers.Go(func() {
			ids := accept(writer, each)
			if !slices.IsSorted(ids) {
				t.Errorf("ids are not in the order of acceptance: %v", ids)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, ids...)
		})
	}
	writers.Wait()
	slices.Sort(all)
	if want := 5 + nodes*each; len(slices.Compact(all)) != want || all[len(all)-1] != uint64(want) {
		t.Fatalf("%d ids, the last %d, want %d without a gap", len(all), all[len(all)-1], want)
	}
	poll.Until(t, "the owner knows all jobs", func() bool { return q.Count("p") == len(all) })
	mu.Lock()
	if kicked == 0 {
		t.Error("the owner was not told of a printer with new jobs")
	}
	mu.Unlock()
	q.Take(1)
	j, err := q.Begin(t.Context(), 1, "P", Attempt{Port: "A"})
	if err != nil || j.Current().Epoch != 7 {
		t.Errorf("the attempt has epoch %+v, %v", j, err)
	}
}

// TestIncomingByOthers: documents of one job may come through several nodes.
func TestIncomingByOthers(t *testing.T) {
	b := newQueue(t)
	one, other := Intake(b.bolt, "Cluster", b.clock.now), Intake(b.bolt, "Cluster", b.clock.now)
	q := b.owner(1, func(string) {})
	j := b.must(one.Accept(t.Context(), Job{Printer: "P", State: Incoming}))
	gone := b.must(one.Accept(t.Context(), Job{Printer: "P", State: Incoming}))
	poll.Until(t, "the owner knows the incoming jobs", func() bool { return len(q.Active("P")) == 2 })
	b.must(other.Add(t.Context(), j.ID, Part{Ref: ref("one")}, false))
	b.must(one.Add(t.Context(), j.ID, Part{Ref: ref("two")}, true))
	b.must(other.Complete(t.Context(), gone.ID)) // without a document it ends
	poll.Until(t, "one is to print and one has ended", func() bool {
		jobs := q.Active("P")
		return len(jobs) == 1 && jobs[0].State == Queued && len(jobs[0].Documents) == 2
	})
	if next, ok := q.Peek("p"); !ok || next.ID != j.ID {
		t.Errorf("%+v would print next", next)
	}
}
