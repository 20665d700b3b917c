package job

import (
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

// queueBench is a queue on a bolt store that can be closed and opened again.
type queueBench struct {
	*testing.T
	*Queue
	path     string
	bolt     store.Store
	clock    *clock
	problems []Problem
	docs     int
}

func newQueue(t *testing.T) *queueBench {
	t.Helper()
	b := &queueBench{T: t, path: filepath.Join(t.TempDir(), "q.db"), clock: &clock{at: t0}}
	b.open()
	t.Cleanup(func() { _ = b.bolt.Close() })
	return b
}

func (b *queueBench) open() {
	b.Helper()
	bolt, err := store.OpenBolt(b.path, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.bolt = bolt
	if b.Queue, b.problems, err = Open(b.Context(), bolt, "node", b.clock.now); err != nil {
		b.Fatal(err)
	}
}

func (b *queueBench) reopen() {
	b.Helper()
	if err := b.bolt.Close(); err != nil {
		b.Fatal(err)
	}
	b.open()
}

func (b *queueBench) accept(j Job) *Job {
	b.Helper()
	b.docs++
	j.Document = document.Ref{ID: "doc" + strconv.Itoa(b.docs), Size: 100}
	if j.Printer == "" {
		j.Printer = "P"
	}
	got, err := b.Accept(b.Context(), j)
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func (b *queueBench) must(j *Job, err error) *Job {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// begin takes and begins a job.
func (b *queueBench) begin(id uint64) *Job {
	b.Helper()
	j := b.must(b.Get(b.Context(), id))
	if !b.Take(id) {
		b.Fatalf("job %d cannot be taken", id)
	}
	return b.must(b.Begin(b.Context(), id, j.Printer, Attempt{Port: "A", Incarnation: 1}))
}

func (b *queueBench) finish(id uint64, keep bool) *Job {
	b.Helper()
	b.begin(id)
	return b.must(b.End(b.Context(), id, Result{Outcome: Sent, BytesSent: 100}, Rules{KeepPrinted: keep}))
}

// order takes jobs until none is left.
func (b *queueBench) order(printer string) (ids []uint64) {
	for {
		j, ok := b.Peek(printer)
		if !ok {
			break
		}
		if !b.Take(j.ID) {
			b.Fatalf("job %d is offered but cannot be taken", j.ID)
		}
		ids = append(ids, j.ID)
	}
	for _, id := range ids {
		b.Return(id)
	}
	return ids
}

func (b *queueBench) wantOrder(printer string, want ...uint64) {
	b.Helper()
	if got := b.order(printer); !slices.Equal(got, want) {
		b.Errorf("printer %s prints %v, want %v", printer, got, want)
	}
}
