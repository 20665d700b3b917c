package job

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestASubmissionKeyMakesOneJob(t *testing.T) {
	b := newQueue(t)
	first := b.accept(Job{Submission: "k1", Title: "first"})
	if again := b.accept(Job{Submission: "k1", Title: "again"}); again.ID != first.ID || again.Title != "first" {
		t.Errorf("the same key made %+v", again)
	}
	b.reopen()
	if again := b.accept(Job{Submission: "k1"}); again.ID != first.ID {
		t.Errorf("after a restart the same key made job %d", again.ID)
	}
	if other := b.accept(Job{Submission: "k2"}); other.ID == first.ID {
		t.Error("another key gave the same job")
	}
	if none, err := b.Submitted(t.Context(), "k3"); none != nil || err != nil {
		t.Errorf("%+v, %v", none, err)
	}
	if n := b.Count("p"); n != 2 {
		t.Errorf("%d jobs are queued", n)
	}
}

func TestASubmissionKeyOutlivesItsJob(t *testing.T) {
	b := newQueue(t)
	id := b.accept(Job{Submission: "k1"}).ID
	b.finish(id, false)
	b.clock.set(t0.Add(submissionAge - time.Hour))
	if n, _, err := b.Expire(t.Context(), Retention{}); n != 1 || err != nil {
		t.Fatalf("%d expired, %v", n, err)
	}
	if j, err := b.Submitted(t.Context(), "k1"); err != nil || j.ID != id || !j.State.Final() {
		t.Errorf("%+v, %v", j, err)
	}
	b.clock.set(t0.Add(submissionAge + time.Hour))
	if _, _, err := b.Expire(t.Context(), Retention{}); err != nil {
		t.Fatal(err)
	}
	if j, err := b.Submitted(t.Context(), "k1"); j != nil || err != nil {
		t.Errorf("%+v, %v after its time", j, err)
	}
}

func TestARestartOfAFinishedJobIsCounted(t *testing.T) {
	b := newQueue(t)
	id := b.accept(Job{}).ID
	if j, err := b.Restart(t.Context(), id); err != nil || j.Restarts != 0 {
		t.Errorf("%+v, %v", j, err)
	}
	if _, err := b.Cancel(t.Context(), id, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Restart(t.Context(), id); !errors.Is(err, spoolerr.Precondition) {
		t.Errorf("its document is gone: %v", err)
	}
}

// The jobs on other hosts are found after a restart without a look at the others, and forgotten
// with their end there or their records here.
func TestAway(t *testing.T) {
	b := newQueue(t)
	for range 300 {
		b.accept(Job{})
	}
	away := func(want ...uint64) {
		t.Helper()
		b.reopen()
		list, err := b.Away(t.Context())
		var ids []uint64
		for _, j := range list {
			ids = append(ids, j.ID)
		}
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("away are %v, %v; want %v", ids, err, want)
		}
	}
	stands := func(id uint64, over bool) {
		t.Helper()
		if _, err := b.SetForwarded(t.Context(), id, Forward{Printer: "p", Key: "k", ID: 7, Over: over}); err != nil {
			t.Fatal(err)
		}
	}
	away()
	for _, id := range []uint64{7, 150, 299} {
		stands(id, false)
	}
	b.finish(150, false)
	away(7, 150, 299)
	stands(7, true)
	away(150, 299)
	if n, _, err := b.Expire(t.Context(), Retention{}); n != 1 || err != nil {
		t.Errorf("%d expired, %v", n, err)
	}
	away(299)
}
