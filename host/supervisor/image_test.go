//go:build linux

package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// TestImagesNoticeChange: a digest is remembered, and not beyond a change of the file,
// whatever was done to its times.
func TestImagesNoticeChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	check(t, os.WriteFile(path, []byte("one"), 0o700))
	s := NewImages()
	first, err := s.Digest(path)
	check(t, err)
	if len(s.known) != 0 {
		t.Error("the digest of a file written just now is remembered: it could change within the clock's grain")
	}
	info, err := os.Stat(path)
	check(t, err)
	poll.Until(t, "the digest is remembered", func() bool {
		_, err := s.Digest(path)
		check(t, err)
		return len(s.known) == 1
	})
	check(t, os.WriteFile(path, []byte("two"), 0o700)) // same inode, same size
	check(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	second, err := s.Digest(path)
	check(t, err)
	if first == second {
		t.Error("a change with the same size and time was not noticed")
	}
	_, err = s.Open(path, first)
	wantKind(t, err, spoolerr.Precondition)
	f, err := s.Open(path, second)
	check(t, err)
	check(t, f.Close())
	check(t, os.Rename(path, path+".old"))
	check(t, os.WriteFile(path, []byte("three"), 0o700))
	_, err = s.Open(path, second)
	wantKind(t, err, spoolerr.Precondition)
}

// TestImagesPipe: opening a named pipe waits for a writer, unless one takes care.
func TestImagesPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	check(t, syscall.Mkfifo(path, 0o700))
	done := make(chan error, 1)
	go func() {
		_, err := NewImages().Digest(path)
		done <- err
	}()
	limit := time.NewTimer(poll.Patience)
	defer limit.Stop()
	select {
	case err := <-done:
		wantKind(t, err, spoolerr.Invalid)
	case <-limit.C:
		t.Fatal("it waits for a writer")
	}
}

func TestImagesUnreadable(t *testing.T) {
	asNobody(t)
	path := filepath.Join(t.TempDir(), "m")
	check(t, os.WriteFile(path, []byte("x"), 0o100))
	_, err := NewImages().Digest(path)
	wantKind(t, err, spoolerr.Denied)
}

// TestImagesRememberAcrossStarts: what one start of the host has hashed, the next one does
// not, unless the file has changed.
func TestImagesRememberAcrossStarts(t *testing.T) {
	if !durableMarks {
		return
	}
	dir := t.TempDir()
	path, book := filepath.Join(dir, "m"), filepath.Join(dir, "digests")
	check(t, os.WriteFile(path, []byte("one"), 0o700))
	s := OpenImages(book)
	var first string
	poll.Until(t, "the digest is remembered", func() bool {
		var err error
		first, err = s.Digest(path)
		check(t, err)
		return len(s.known) == 1
	})
	text, err := os.ReadFile(book)
	check(t, err)
	mark := strings.Repeat("ab", 32) // stands for a digest that nobody computed anew
	check(t, os.WriteFile(book, []byte(strings.Replace(string(text), first, mark, 1)), 0o600))
	again, err := OpenImages(book).Digest(path)
	check(t, err)
	if again != mark {
		t.Errorf("the file was hashed again: %s", again)
	}
	check(t, os.WriteFile(path, []byte("two"), 0o700))
	changed, err := OpenImages(book).Digest(path)
	check(t, err)
	if changed == mark || changed == first {
		t.Error("a change between two starts was not noticed")
	}
	for _, damage := range []string{"", "{", `{"x":1}`, "null"} {
		check(t, os.WriteFile(book, []byte(damage), 0o600))
		got, err := OpenImages(book).Digest(path)
		check(t, err)
		if got != changed {
			t.Errorf("with %q for a book: %s", damage, got)
		}
	}
}

// TestImagesOfAReplacedHost: a new version of the host's own file is not taken for the one
// that runs, whose modules go on until it is started anew.
func TestImagesOfAReplacedHost(t *testing.T) {
	self, err := os.Executable()
	check(t, err)
	data, err := os.ReadFile(self)
	check(t, err)
	path := filepath.Join(t.TempDir(), "host")
	check(t, os.WriteFile(path, data, 0o700))
	host := exec.Command(path)
	host.Env = append(os.Environ(), envMode+"=replaced")
	if out, err := host.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// replaceSelf is the host of that test.
func replaceSelf() {
	self, err := os.Executable()
	s := NewImages()
	digest, digestErr := s.Digest(self)
	err = errors.Join(err, digestErr, os.WriteFile(self+".new", []byte("another version"), 0o700), os.Rename(self+".new", self))
	_, openErr := s.Open(self, digest)
	if err = errors.Join(err, openErr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
