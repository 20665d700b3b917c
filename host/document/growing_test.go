package document

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
)

// follow writes the first bytes of a document and follows it.
func follow(t *testing.T, s *Store, first []byte) (*Writer, *Growing, *Document) {
	t.Helper()
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Abort() })
	if _, err := w.Write(first[:MaxInline]); err != nil {
		t.Fatal(err)
	}
	if w.Follow() != nil {
		t.Error("a document is followed that may yet lie in a segment")
	}
	if _, err := w.Write(first[MaxInline:]); err != nil {
		t.Fatal(err)
	}
	g := w.Follow()
	if g == nil || g != w.Follow() {
		t.Fatal("it cannot be followed, or not twice")
	}
	d, err := g.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return w, g, d
}

func TestGrowing(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	data := bytes.Repeat([]byte("0123456789abcdef"), MaxInline/8)
	half := int64(MaxInline + 16)
	w, g, d := follow(t, s, data[:half])

	if n, whole, err := d.Arrived(t.Context(), 0); n != half-1 || whole || err != nil {
		t.Errorf("%d of %d bytes may be read, whole %v, %v: the last one is kept back", n, half, whole, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, whole, err := d.Arrived(ended, half-1); whole || !errors.Is(err, context.Canceled) {
		t.Errorf("a wait for more that was given up: whole %v, %v", whole, err)
	}

	more := make(chan int64)
	go func() {
		n, _, _ := d.Arrived(t.Context(), half-1)
		more <- n
	}()
	if _, err := w.Write(data[half:]); err != nil {
		t.Fatal(err)
	}
	if n := <-more; n != int64(len(data))-1 || g.Size() != int64(len(data)) {
		t.Errorf("%d may be read, %d have come, of %d", n, g.Size(), len(data))
	}
	ref, err := w.Commit(t.Context())
	if err != nil || ref.ID != g.ID() {
		t.Fatalf("%+v is not %s: %v", ref, g.ID(), err)
	}
	if n, whole, _ := d.Arrived(t.Context(), 0); n != ref.Size-1 || whole {
		t.Errorf("durable, and not accepted yet: %d of %d bytes, whole %v", n, ref.Size, whole)
	}
	g.Finish()
	if n, whole, err := d.Arrived(t.Context(), ref.Size); n != ref.Size || !whole || err != nil {
		t.Errorf("at the end: %d, %v, %v", n, whole, err)
	}
	if got, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size())); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes read, %v", len(got), err)
	}
}

func TestGrowingGivenUp(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	w, g, _ := follow(t, s, make([]byte, MaxInline+1))
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if w.Follow() != nil {
		t.Error("a document that was given up can be followed")
	}
	if _, err := g.Open(t.Context()); err == nil {
		t.Error("a document that was given up can be opened")
	}
}
