package job

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func (b *queueBench) finished(after uint64) (ids []uint64, damaged int) {
	b.Helper()
	for j, err := range b.Finished(b.Context(), after) {
		switch {
		case errors.Is(err, spoolerr.Corrupt):
			damaged++
		case err != nil:
			b.Fatal(err)
		default:
			ids = append(ids, j.ID)
		}
	}
	return ids, damaged
}

func (b *queueBench) expire(keep Retention, n int, docs ...string) {
	b.Helper()
	removed, documents, err := b.Expire(b.Context(), keep)
	slices.Sort(documents)
	if removed != n || !slices.Equal(documents, docs) || err != nil {
		b.Errorf("expired %d with documents %v (%v), want %d %v", removed, documents, err, n, docs)
	}
}

func (b *queueBench) documents(t *testing.T) (ids []string) {
	t.Helper()
	for id, err := range b.Documents(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func TestExpire(t *testing.T) {
	b := newQueue(t)
	for i := range 6 {
		b.clock.set(t0.Add(time.Duration(i) * time.Hour))
		b.finish(b.accept(Job{}).ID, i%2 == 0) // docs 1, 3 and 5 are kept
	}
	b.accept(Job{}) // active jobs never expire
	if docs := b.documents(t); !slices.Equal(docs, []string{"doc1", "doc3", "doc5", "doc7"}) {
		t.Errorf("documents of jobs: %q", docs)
	}
	b.expire(Retention{Age: 24 * time.Hour, Count: 6}, 0)
	b.expire(Retention{Age: 24 * time.Hour, Count: 4}, 2, "doc1")
	if ids, _ := b.finished(0); !slices.Equal(ids, []uint64{3, 4, 5, 6}) {
		t.Errorf("left %v", ids)
	}
	b.reopen() // the count is durable
	b.clock.set(t0.Add(4*time.Hour + time.Minute))
	b.expire(Retention{Age: 2 * time.Hour, Count: 100}, 1, "doc3")
	b.expire(Retention{Age: 2 * time.Hour, Count: 2}, 1)
	b.expire(Retention{Age: 0, Count: 0}, 2, "doc5")
	if docs := b.documents(t); !slices.Equal(docs, []string{"doc7"}) {
		t.Errorf("documents of jobs: %q", docs)
	}
	if b.Count("P") != 1 {
		t.Error("an active job expired")
	}
}

func TestExpireInBatches(t *testing.T) {
	b := newQueue(t)
	err := b.bolt.Update(t.Context(), func(tx store.Tx) error {
		for id := uint64(1); id <= 600; id++ {
			j := &Job{ID: id, Printer: "P", State: Printed, Ended: t0.Add(time.Duration(id)), DocumentGone: true}
			if err := b.keys.save(tx, nil, j); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if ids, _ := b.finished(0); len(ids) != 600 || !slices.IsSorted(ids) {
		t.Errorf("%d finished jobs", len(ids))
	}
	if ids, _ := b.finished(598); !slices.Equal(ids, []uint64{599, 600}) {
		t.Errorf("after 598: %v", ids)
	}
	b.expire(Retention{Age: 24 * time.Hour, Count: 10}, 590)
	if ids, _ := b.finished(0); len(ids) != 10 || ids[0] != 591 {
		t.Errorf("left %v", ids)
	}
}

func TestRestartOfAKeptJob(t *testing.T) {
	b := newQueue(t)
	kept, gone := b.finish(b.accept(Job{}).ID, true).ID, b.finish(b.accept(Job{}).ID, false).ID
	if _, err := b.Restart(t.Context(), gone); !errors.Is(err, spoolerr.CodeSpoolFileNotFound) {
		t.Errorf("%v", err)
	}
	j := b.must(b.Restart(t.Context(), kept))
	if j.State != Queued || len(j.Attempts) != 1 {
		t.Errorf("%+v", j)
	}
	b.wantOrder("P", kept)
	b.clock.set(t0.Add(time.Hour))
	b.expire(Retention{}, 1) // the other one: a job that prints again is no history
	b.reopen()
	b.wantOrder("P", kept)
	b.finish(kept, false)
	if ids, _ := b.finished(0); !slices.Equal(ids, []uint64{kept}) {
		t.Errorf("finished %v", ids)
	}
	if j := b.must(b.Get(t.Context(), kept)); len(j.Attempts) != 2 || j.Attempts[1].Number != 2 {
		t.Errorf("%+v", j)
	}
}

func (b *queueBench) put(key string, value string) {
	b.Helper()
	if err := b.bolt.Update(b.Context(), func(tx store.Tx) error { return tx.Put(key, []byte(value)) }); err != nil {
		b.Fatal(err)
	}
}

func TestDamagedRecords(t *testing.T) {
	b := newQueue(t)
	for range 4 {
		b.accept(Job{})
	}
	b.finish(b.accept(Job{}).ID, true)
	b.finish(b.accept(Job{}).ID, true)
	b.put(b.keys.active(2), `{"id":2,"state":`)
	b.put(b.keys.active(3), `{}`)
	b.put(b.keys.done(5), "garbage")
	b.reopen()
	if len(b.problems) != 2 || b.problems[0].Key != b.keys.active(2) || !errors.Is(b.problems[0].Err, spoolerr.Corrupt) {
		t.Errorf("problems %v: start-up reads active jobs, and no finished ones", b.problems)
	}
	b.wantOrder("P", 1, 4)
	if _, err := b.Get(t.Context(), 2); !errors.Is(err, spoolerr.Corrupt) {
		t.Errorf("%v", err)
	}
	if ids, damaged := b.finished(0); damaged != 1 || !slices.Equal(ids, []uint64{6}) {
		t.Errorf("finished %v, %d damaged", ids, damaged)
	}
	b.clock.set(t0.Add(time.Hour))
	b.expire(Retention{}, 2, "doc6")
	if ids, damaged := b.finished(0); damaged != 0 || ids != nil {
		t.Errorf("finished %v, %d damaged", ids, damaged)
	}
	if j := b.accept(Job{}); j.ID != 7 {
		t.Errorf("id %d", j.ID)
	}
}

// A record under another job's key would print one document in place of another.
func TestRecordUnderAnotherKey(t *testing.T) {
	b := newQueue(t)
	b.accept(Job{})
	b.accept(Job{})
	b.put(b.keys.active(2), `{"id":1,"printer":"P","state":"queued","revision":9}`)
	b.reopen()
	if len(b.problems) != 1 {
		t.Errorf("problems %v", b.problems)
	}
	b.wantOrder("P", 1)
}

func TestStatesAreReadStrictly(t *testing.T) {
	b := newQueue(t)
	b.accept(Job{})
	b.accept(Job{})
	b.put(b.keys.active(1), `{"id":1,"printer":"P","state":"nonsense","revision":2}`)
	b.put(b.keys.active(2), `{"id":2,"printer":"P","state":"printing","revision":2}`)
	b.reopen()
	if len(b.problems) != 2 {
		t.Errorf("problems %v, jobs %d", b.problems, b.Count("P"))
	}
}
