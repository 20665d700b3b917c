package job

import "testing"

// TestEndAndBegin: the end of one document and the beginning of the next are one commit,
// and a start that is refused takes nothing from the end.
func TestEndAndBegin(t *testing.T) {
	b := newQueue(t)
	first, second, third, moved := b.accept(Job{}).ID, b.accept(Job{}).ID, b.accept(Job{}).ID, b.accept(Job{}).ID
	b.begin(first)
	sent := Result{Outcome: Sent, BytesSent: 100}
	follow := func(id, next uint64) (ended, begun *Job) {
		t.Helper()
		if !b.Take(next) {
			t.Fatalf("job %d cannot be taken", next)
		}
		ended, begun, err := b.EndAndBegin(t.Context(), id, sent, Rules{}, &Start{ID: next, Printer: "P", Attempt: Attempt{Port: "A", Incarnation: 1}})
		if err != nil {
			t.Fatal(err)
		}
		return ended, begun
	}
	if ended, begun := follow(first, second); ended.State != Printed || begun == nil || begun.State != Printing || begun.Current().Port != "A" {
		t.Errorf("%+v, %+v", ended, begun)
	}

	b.must(b.Hold(t.Context(), third))
	b.must(b.Release(t.Context(), third))
	if !b.Take(third) {
		t.Fatal("it cannot be taken")
	}
	b.must(b.Hold(t.Context(), third))
	ended, begun, err := b.EndAndBegin(t.Context(), second, sent, Rules{}, &Start{ID: third, Printer: "P"})
	if err != nil || ended.State != Printed || begun != nil {
		t.Errorf("with a start that is refused: %+v, %+v, %v", ended, begun, err)
	}
	b.Return(third)
	b.must(b.Release(t.Context(), third))
	b.begin(third)

	b.must(b.Move(t.Context(), moved, "Q"))
	if ended, begun := follow(third, moved); ended.State != Printed || begun != nil {
		t.Errorf("with a start that was moved: %+v, %+v", ended, begun)
	}
	b.Return(moved)
	b.wantOrder("Q", moved)
	b.reopen()
	if n := len(b.Interrupted()); n != 0 {
		t.Errorf("%d jobs print", n)
	}
	if _, _, err := b.EndAndBegin(t.Context(), moved, sent, Rules{}, nil); err == nil {
		t.Error("an attempt that does not run was ended")
	}
}
