package modulefile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	f := Files{Shared: filepath.Join(dir, "shared"), Local: filepath.Join(dir, "local")}
	content := []byte("a module")
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	module := filepath.Join(dir, "m")
	write := func(path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(module, content)
	fetch := func(what, digest string, size int64, want spoolerr.Kind) {
		t.Helper()
		if path, err := f.Fetch(t.Context(), digest, size); spoolerr.KindOf(err) != want || err == nil {
			t.Errorf("%s: %s, %v", what, path, err)
		}
	}
	fetch("nothing there yet", digest, 8, spoolerr.Corrupt)
	if _, err := f.Put(t.Context(), module, strings.Repeat("0", 64)); spoolerr.KindOf(err) != spoolerr.Corrupt {
		t.Errorf("put with another digest: %v", err)
	}
	for range 2 {
		if size, err := f.Put(t.Context(), module, digest); err != nil || size != 8 {
			t.Fatal(size, err)
		}
	}
	path, err := f.Fetch(t.Context(), digest, 8)
	if err != nil || !f.Fetched(path) || f.Fetched(module) {
		t.Fatal(path, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(content) {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	fetch("another size", digest, 7, spoolerr.Corrupt)
	fetch("a size above the limit", digest, MaxFile+1, spoolerr.Corrupt)
	fetch("a path", "../m", 8, spoolerr.Corrupt)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := f.Fetch(stopped, digest, 8); err == nil {
		t.Error("fetched after it was stopped")
	}
	write(filepath.Join(f.Shared, digest), []byte("A module"))
	fetch("damaged", digest, 8, spoolerr.Corrupt)
	write(filepath.Join(f.Shared, digest), append(content, 0))
	fetch("longer", digest, 8, spoolerr.Corrupt)
	if err := os.Remove(filepath.Join(f.Shared, digest)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(module, filepath.Join(f.Shared, digest)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Fetch(t.Context(), digest, 8); err == nil {
		t.Error("a link out of the directory was followed")
	}
	for range 2 {
		if err := f.Remove(digest); err != nil {
			t.Error(err)
		}
	}
	for _, d := range []string{f.Shared, f.Local} {
		left, err := filepath.Glob(filepath.Join(d, ".part-*"))
		if len(left) > 0 || err != nil {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

func TestCheckAllow(t *testing.T) {
	for allow, ok := range map[string]bool{
		AllowAll: true, "sha256:" + strings.Repeat("aB", 32): true, strings.Repeat("ab", 32): false,
		"sha256:": false, "sha256:" + strings.Repeat("a", 63) + "g": false, "Acme Port": false, "": false,
	} {
		if err := CheckAllow([]string{allow}); (err == nil) != ok {
			t.Errorf("%q: %v", allow, err)
		}
	}
}

// TestSweep: what is not used any more goes, and nothing else.
func TestSweep(t *testing.T) {
	f := Files{Local: filepath.Join(t.TempDir(), "local")}
	if err := f.Sweep(nil); err != nil {
		t.Errorf("nothing was fetched yet: %v", err)
	}
	if err := os.Mkdir(f.Local, 0o700); err != nil {
		t.Fatal(err)
	}
	used, unused := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for _, name := range []string{used, unused, partPrefix + "X", "notes"} {
		if err := os.WriteFile(filepath.Join(f.Local, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sweep([]string{"/usr/bin/acme", filepath.Join(f.Local, used)}); err != nil {
		t.Fatal(err)
	}
	var left []string
	list, err := os.ReadDir(f.Local)
	for _, e := range list {
		left = append(left, e.Name())
	}
	if want := []string{used, "notes"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("%v is left, want %v; %v", left, want, err)
	}
}
