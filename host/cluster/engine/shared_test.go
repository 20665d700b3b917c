//go:build unix

package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// TestSharedDirectories: a directory counts as shared only if both sides see what the other
// writes, and if what is written stays.
func TestSharedDirectories(t *testing.T) {
	mine, theirs := t.TempDir(), t.TempDir()
	marker := MarkerName("x")
	remove, err := MakeMarker(mine, marker, "text")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "two directories", AnswerMarker(theirs, marker, "text"), spoolerr.Precondition, "mount the same file system")
	wantError(t, "another text", AnswerMarker(mine, marker, "other"), spoolerr.Precondition, "mount the same file system")
	wantError(t, "no answer", CheckAnswer(mine, marker, "text"), spoolerr.Precondition, "is not seen")
	if err := AnswerMarker(mine, marker, "text"); err != nil {
		t.Error(err)
	}
	if err := CheckAnswer(mine, marker, "text"); err != nil {
		t.Error(err)
	}
	remove()
	if left, _ := os.ReadDir(mine); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	wantError(t, "a name with a path", AnswerMarker(mine, "../"+marker, "text"), spoolerr.Invalid, "malformed")
}

// TestFsyncFails: what a file system takes and does not keep is refused. The null device
// takes all and cannot be synchronised, the full one has no room.
func TestFsyncFails(t *testing.T) {
	for device, want := range map[string]struct {
		kind spoolerr.Kind
		text string
	}{"/dev/null": {spoolerr.Unavailable, "fsync"}, "/dev/full": {spoolerr.NoSpace, "cannot be written: it is full"}} {
		dir := t.TempDir()
		if err := os.Symlink(device, filepath.Join(dir, MarkerName("x"))); err != nil {
			t.Fatal(err)
		}
		_, err := MakeMarker(dir, MarkerName("x"), "text")
		wantError(t, device, err, want.kind, want.text)
	}
}

func TestSharedDirectoryOfAnotherCluster(t *testing.T) {
	dir := t.TempDir()
	ours, err := trust.NewAuthority("ours")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := trust.NewAuthority("theirs")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "a directory that nobody has", CheckShared(dir, ours), spoolerr.Precondition, "is its file system mounted")
	for range 2 {
		if err := ClaimShared(dir, theirs); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, "a claim", ClaimShared(dir, ours), spoolerr.Exists, "another cluster")
	wantError(t, "a start", CheckShared(dir, ours), spoolerr.Precondition, "is its file system mounted")
}

// TestProbe: a directory that takes files passes and keeps none; one that has been unmounted
// or has no room is named.
func TestProbe(t *testing.T) {
	dir := t.TempDir()
	ours, err := trust.NewAuthority("ours")
	if err != nil {
		t.Fatal(err)
	}
	s := Storage{Dir: dir, Node: "N1", Authority: ours}
	wantError(t, "not mounted", s.Probe(), spoolerr.Precondition, "is its file system mounted")
	if err := ClaimShared(dir, ours); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	if err := os.Symlink("/dev/full", filepath.Join(dir, ".spoolhost-probe-n1")); err != nil {
		t.Fatal(err)
	}
	wantError(t, "full", s.Probe(), spoolerr.NoSpace, "free space there")
}
