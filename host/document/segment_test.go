package document

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// fill commits documents of 64 KiB until one lies in another segment than the first.
func fill(t *testing.T, s *Store) (inFirst []Ref, next Ref) {
	t.Helper()
	for n := 0; ; n++ {
		ref := submit(t, s, bytes.Repeat([]byte(fmt.Sprintf("document %05d ", n)), 4096))
		if len(inFirst) > 0 && name(ref) != name(inFirst[0]) {
			return inFirst, ref
		}
		inFirst = append(inFirst, ref)
	}
}

func name(ref Ref) string {
	name, _, _ := strings.Cut(ref.ID, "-")
	return name
}

func remove(t *testing.T, s *Store, ref Ref) {
	t.Helper()
	if err := s.Remove(t.Context(), ref.ID); err != nil {
		t.Error(err)
	}
}

// TestSegmentsOfAnEarlierLife: what a job refers to stays, and its segment takes no more.
func TestSegmentsOfAnEarlierLife(t *testing.T) {
	dir := t.TempDir()
	earlier := open(t, dir, Options{})
	refs, next := fill(t, earlier)
	s := open(t, dir, Options{})
	if err := s.Verify(t.Context(), next); err != nil {
		t.Errorf("before the sweep: %v", err)
	}
	if n, err := s.Sweep(t.Context(), only(refs[0], refs[9])); n != 1 || err != nil {
		t.Errorf("%d were removed, %v", n, err)
	}
	fresh := submit(t, s, []byte("of this life"))
	if name(fresh) == name(refs[0]) {
		t.Error("a segment of an earlier life took another document")
	}
	for _, ref := range []Ref{refs[0], refs[9], fresh} {
		if err := s.Verify(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
	remove(t, s, refs[3]) // removed long ago
	remove(t, s, refs[0])
	remove(t, s, refs[9])
	if left := files(t, s); !slices.Equal(left, []string{name(fresh) + segmentEnd}) {
		t.Errorf("left %q", left)
	}
}

// TestDamagedSegment: a document knows that its bytes are not its own any more, and its
// neighbours are unharmed.
func TestDamagedSegment(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	one, two := submit(t, s, []byte("the first document")), submit(t, s, []byte("the second document"))
	path := filepath.Join(s.dir, name(one)+segmentEnd)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("THE"), 0)
		_ = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	wants(t, s.Verify(t.Context(), one), spoolerr.Corrupt, spoolerr.CodeInvalidData)
	if err := s.Verify(t.Context(), two); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(path, align+1); err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(t.Context(), two)
	wants(t, err, spoolerr.Corrupt, spoolerr.CodeInvalidData)
}

// TestShared: several hosts remove each other's documents.
func TestShared(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir, Options{Shared: true}), open(t, dir, Options{Shared: true})
	ref := submit(t, one, []byte("accepted by one host, printed by another"))
	if err := two.Verify(t.Context(), ref); err != nil {
		t.Error(err)
	}
	remove(t, two, ref)
	if left := files(t, one); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// TestManySegments has writers and removers meet at the ends of segments.
func TestManySegments(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	data := bytes.Repeat([]byte("x"), MaxInline)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var last Ref
			for range 40 {
				ref := submit(t, s, data)
				if last.ID != "" {
					remove(t, s, last)
				}
				if err := s.Verify(t.Context(), ref); err != nil {
					t.Error(err)
				}
				last = ref
			}
			remove(t, s, last)
		})
	}
	wg.Wait()
	if n := len(files(t, s)); n != 1 {
		t.Errorf("%d segments are left of nothing", n)
	}
}
