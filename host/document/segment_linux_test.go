package document

import (
	"io"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// TestSegmentsGoWithTheirDocuments: a segment is there as long as one of its documents is.
func TestSegmentsGoWithTheirDocuments(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	refs, next := fill(t, s)
	if n := len(files(t, s)); n != 2 {
		t.Fatalf("%d files", n)
	}
	last := refs[len(refs)/2]
	for _, ref := range refs {
		if ref != last {
			remove(t, s, ref)
		}
	}
	before := blocks(t, s, last)
	if err := s.Trim(); err != nil {
		t.Fatal(err)
	}
	if after := blocks(t, s, last); after >= before/4 {
		t.Errorf("the removed documents still have %d of %d blocks", after, before)
	}
	if err := s.Verify(t.Context(), last); err != nil {
		t.Errorf("the one that stays: %v", err)
	}
	d, err := s.Open(t.Context(), last)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, s, last)
	if left := files(t, s); !slices.Equal(left, []string{name(next) + segmentEnd}) {
		t.Errorf("left %q", left)
	}
	if got, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size())); int64(len(got)) != last.Size || err != nil {
		t.Errorf("an open document that was removed gave %d bytes, %v", len(got), err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	_, err = s.Open(t.Context(), last)
	wants(t, err, spoolerr.NotFound, spoolerr.CodeSpoolFileNotFound)
	if err := s.Verify(t.Context(), next); err != nil {
		t.Error(err)
	}
}

// blocks is the space that a document's segment takes, in units of 512 bytes.
func blocks(t *testing.T, s *Store, ref Ref) int64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(s.dir, name(ref)+segmentEnd), &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks
}
