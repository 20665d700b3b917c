package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestOrderAndIDsSurviveReopening(t *testing.T) {
	b := newQueue(t)
	for i, priority := range []uint32{1, 50, 1, 99, 50} {
		if j := b.accept(Job{Priority: priority, Title: "t"}); j.ID != uint64(i)+1 {
			t.Errorf("job %d got id %d", i+1, j.ID)
		}
	}
	b.accept(Job{State: Held, Priority: 99})
	b.accept(Job{Printer: "other"})
	for range 2 {
		b.wantOrder("p", 4, 2, 5, 1, 3) // names of printers are without case
		b.wantOrder("OTHER", 7)
		if n := b.Count("P"); n != 6 {
			t.Errorf("%d jobs", n)
		}
		b.reopen()
	}
	if len(b.problems) != 0 {
		t.Errorf("%v", b.problems)
	}
	if j := b.accept(Job{}); j.ID != 8 {
		t.Errorf("id %d after reopening", j.ID)
	}
}

func TestIDsAreNeverReused(t *testing.T) {
	b := newQueue(t)
	for range 5 {
		b.finish(b.accept(Job{}).ID, false)
	}
	b.clock.set(t0.Add(time.Hour))
	if n, _, err := b.Expire(t.Context(), Retention{}); n != 5 || err != nil {
		t.Fatalf("%d expired, %v", n, err)
	}
	if _, err := b.Get(t.Context(), 5); !errors.Is(err, spoolerr.NotFound) {
		t.Errorf("an expired job: %v", err)
	}
	b.reopen()
	if j := b.accept(Job{}); j.ID != 6 {
		t.Errorf("id %d was given again", j.ID)
	}
}

func TestTakeReturn(t *testing.T) {
	b := newQueue(t)
	first, second := b.accept(Job{}).ID, b.accept(Job{}).ID
	if !b.Take(first) || b.Take(first) {
		t.Error("a job is taken once")
	}
	b.wantOrder("P", second)
	b.Return(first)
	b.wantOrder("P", first, second)
	if b.Take(99) {
		t.Error("an unknown job was taken")
	}
}

func TestTakeIsExclusive(t *testing.T) {
	b := newQueue(t)
	for range 200 {
		b.accept(Job{})
	}
	var mu sync.Mutex
	seen := make(map[uint64]int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				j, ok := b.Peek("P")
				if !ok {
					return
				}
				if b.Take(j.ID) {
					mu.Lock()
					seen[j.ID]++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if len(seen) != 200 {
		t.Errorf("%d of 200 jobs were taken", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("job %d was taken %d times", id, n)
		}
	}
}

// What is asked of a taken job wins over its beginning, and leaves the line whole.
func TestChangesOfATakenJob(t *testing.T) {
	cases := map[string]struct {
		change func(b *queueBench, id uint64) (*Job, error)
		begins bool
		line   int // printers' lines afterwards: jobs of P, jobs of Q
		other  int
	}{
		"cancel": {func(b *queueBench, id uint64) (*Job, error) { return b.Cancel(b.Context(), id, "x") }, false, 0, 0},
		"hold":   {func(b *queueBench, id uint64) (*Job, error) { return b.Hold(b.Context(), id) }, false, 0, 0},
		"hold and release": {func(b *queueBench, id uint64) (*Job, error) {
			_, _ = b.Hold(b.Context(), id)
			return b.Release(b.Context(), id)
		}, true, 0, 0},
		"move":    {func(b *queueBench, id uint64) (*Job, error) { return b.Move(b.Context(), id, "Q") }, false, 0, 1},
		"restart": {func(b *queueBench, id uint64) (*Job, error) { return b.Restart(b.Context(), id) }, true, 0, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newQueue(t)
			id := b.accept(Job{}).ID
			b.Take(id)
			b.must(c.change(b, id))
			b.wantOrder("P")
			_, err := b.Begin(t.Context(), id, "P", Attempt{})
			if (err == nil) != c.begins || err != nil && !errors.Is(err, spoolerr.Precondition) {
				t.Errorf("begin: %v", err)
			}
			if len(b.order("P")) != c.line || len(b.order("Q")) != c.other {
				t.Errorf("P %v, Q %v", b.order("P"), b.order("Q"))
			}
		})
	}
}

func TestHours(t *testing.T) {
	b := newQueue(t)
	day := b.accept(Job{StartTime: 8 * 60, UntilTime: 17 * 60, Priority: 50}).ID
	night := b.accept(Job{StartTime: 22 * 60, UntilTime: 6 * 60, Priority: 50}).ID
	always := b.accept(Job{Priority: 10}).ID
	for _, c := range []struct {
		now   time.Time
		next  time.Duration
		order []uint64
	}{
		{at(12, 0, 0), 10 * time.Hour, []uint64{day, always}},
		{at(18, 0, 0), 4 * time.Hour, []uint64{always}},
		{at(23, 0, 0), 9 * time.Hour, []uint64{night, always}},
		{at(23, 59, 59).Add(time.Second), 8 * time.Hour, []uint64{night, always}},
		{at(7, 0, 0), time.Hour, []uint64{always}},
	} {
		b.clock.set(c.now)
		b.wantOrder("P", c.order...)
		if got := b.NextOpening("P"); got != c.next {
			t.Errorf("at %v the next opening is in %v, want %v", c.now, got, c.next)
		}
	}
}

func TestConcurrentAccept(t *testing.T) {
	b := newQueue(t)
	const clients, each = 16, 25
	ids := make(chan uint64, clients*each)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := range each {
				j, err := b.Accept(context.Background(), Job{Printer: "P", Document: document.Ref{ID: fmt.Sprintf("d%d-%d", c, i), Size: 1}})
				if err != nil {
					t.Error(err)
					return
				}
				ids <- j.ID
			}
		})
	}
	all.Wait()
	close(ids)
	got := make([]uint64, 0, clients*each)
	for id := range ids {
		got = append(got, id)
	}
	slices.Sort(got)
	if len(slices.Compact(slices.Clone(got))) != clients*each {
		t.Error("an id was given twice")
	}
	b.reopen()
	b.wantOrder("P", got...)
}

// TestCancelRaces lets people act on a job while it begins and ends: whatever comes
// first, one thing is recorded, and memory and store agree on it.
func TestCancelRaces(t *testing.T) {
	b := newQueue(t)
	acts := []func(id uint64) (*Job, error){
		func(id uint64) (*Job, error) { return b.Cancel(context.Background(), id, "x") },
		func(id uint64) (*Job, error) { return b.Hold(context.Background(), id) },
		func(id uint64) (*Job, error) { return b.Move(context.Background(), id, "Q") },
		func(id uint64) (*Job, error) { return b.Restart(context.Background(), id) },
	}
	for i := range 120 {
		id := b.accept(Job{}).ID
		b.Take(id)
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := b.Begin(context.Background(), id, "P", Attempt{Port: "A"}); err != nil {
				return
			}
			b.SetProgress(id, 50)
			outcome := []Outcome{Sent, Crashed, DeviceFailed}[i/4%3]
			if _, err := b.End(context.Background(), id, Result{Outcome: outcome, BytesSent: 50}, Rules{Policy: Retry}); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() { _, _ = acts[i%4](id) })
		both.Wait()
		b.agrees(id)
		_, _ = b.Cancel(t.Context(), id, "clean up")
	}
	if n := b.Count("P") + b.Count("Q"); n != 0 {
		t.Errorf("%d jobs are left", n)
	}
	b.wantOrder("P")
	b.wantOrder("Q")
}

// agrees compares what is in memory with the store, and a queued job with its line.
func (b *queueBench) agrees(id uint64) {
	b.Helper()
	var stored *Job
	if err := b.bolt.View(b.Context(), func(tx store.Tx) (err error) {
		stored, err = b.keys.load(tx, id, nil)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	seen := b.must(b.Get(b.Context(), id))
	if seen.State != stored.State || seen.Revision != stored.Revision || seen.Current() != nil {
		b.Errorf("in memory %+v, in the store %+v", seen, stored)
	}
	if inLine := slices.Contains(b.order(seen.Printer), id); inLine != (seen.State == Queued) {
		b.Errorf("job %d is %s, in the line: %v", id, seen.State, inLine)
	}
}

func TestInterrupted(t *testing.T) {
	b := newQueue(t)
	waiting, running, asked := b.accept(Job{}).ID, b.accept(Job{}).ID, b.accept(Job{}).ID
	b.begin(running)
	b.begin(asked)
	b.must(b.Cancel(t.Context(), asked, "x"))
	b.reopen()
	var ids []uint64
	for _, j := range b.Interrupted() {
		ids = append(ids, j.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []uint64{running, asked}) {
		t.Fatalf("interrupted %v", ids)
	}
	b.wantOrder("P", waiting)
	for _, id := range ids {
		b.must(b.End(t.Context(), id, Result{Outcome: Interrupted, Lost: true}, Rules{Policy: Retry}))
	}
	if j := b.must(b.Get(t.Context(), asked)); j.State != Cancelled {
		t.Errorf("an intent of the last life was lost: %+v", j)
	}
	j := b.must(b.Get(t.Context(), running))
	if j.State != Queued || !j.MayHavePrinted || j.Attempts[0].Outcome != Interrupted {
		t.Errorf("%+v", j)
	}
	b.wantOrder("P", waiting, running)
}

func TestProgress(t *testing.T) {
	b := newQueue(t)
	id := b.accept(Job{}).ID
	b.begin(id)
	b.SetProgress(id, 42)
	if j := b.must(b.Get(t.Context(), id)); j.Current().BytesSent != 42 {
		t.Errorf("%+v", j.Current())
	}
	if j := b.Active("p")[0]; j.Current().BytesSent != 42 {
		t.Errorf("%+v", j.Current())
	}
	b.must(b.End(t.Context(), id, Result{Outcome: Crashed, BytesSent: 40}, Rules{Policy: Retry}))
	if j := b.begin(id); j.Current().BytesSent != 0 || j.Attempts[0].BytesSent != 40 {
		t.Errorf("%+v", j)
	}
}

func TestWatch(t *testing.T) {
	b := newQueue(t)
	id := b.accept(Job{}).ID
	changed, stop := b.Watch(id)
	defer stop()
	other, stopOther := b.Watch(id)
	stopOther()
	b.begin(id)
	b.must(b.End(t.Context(), id, Result{Outcome: Sent}, Rules{}))
	<-changed // two changes may be told as one
	if j := b.must(b.Get(t.Context(), id)); j.State != Printed {
		t.Errorf("%+v", j)
	}
	select {
	case <-other:
		t.Error("told after stop")
	default:
	}
	stop()
	if len(b.watchers) != 0 {
		t.Error("watchers are left")
	}
}

func TestComing(t *testing.T) {
	b := newQueue(t)
	id := b.accept(Job{}).ID
	b.begin(id)
	b.must(b.Move(t.Context(), id, "Q"))
	if b.Coming("q") != 1 || b.Coming("P") != 0 || b.Count("Q") != 0 {
		t.Errorf("%d come to Q, %d to P", b.Coming("q"), b.Coming("P"))
	}
	b.must(b.End(t.Context(), id, Result{Outcome: Stopped}, Rules{}))
	if b.Coming("Q") != 0 || b.Count("Q") != 1 || b.Count("P") != 0 {
		t.Errorf("%d come, %d are there, %d are left", b.Coming("Q"), b.Count("Q"), b.Count("P"))
	}
}
