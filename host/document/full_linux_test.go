package document

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const childEnv = "SPOOLHOST_DOCUMENT_TEST_FULL"

// runChild is the test binary's other life: a process that may write 1 MiB to a file.
func runChild() bool {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return false
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	if err == nil {
		err = fillUp(dir, 3<<20)
	}
	if err != nil {
		fmt.Println(err)
		return true
	}
	fmt.Println("passed")
	return true
}

// fillUp spools a document that does not fit, and one that does.
func fillUp(dir string, size int64) error {
	ctx := context.Background()
	s, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	w, err := s.Create(ctx)
	if err != nil {
		return err
	}
	_, err = io.CopyN(w, zeros{}, size)
	if !errors.Is(err, spoolerr.NoSpace) || !errors.Is(err, spoolerr.CodeNoSpoolSpace) {
		return fmt.Errorf("write: %w", err)
	}
	if _, err = w.Commit(ctx); !errors.Is(err, spoolerr.NoSpace) {
		return fmt.Errorf("commit after a failed write: %w", err)
	}
	if err := w.Abort(); err != nil {
		return err
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		return fmt.Errorf("left behind: %v, %w", left, err)
	}
	if w, err = s.Create(ctx); err != nil {
		return err
	}
	if _, err := io.CopyN(w, zeros{}, 100_000); err != nil {
		return err
	}
	ref, err := w.Commit(ctx)
	return errors.Join(err, s.Verify(ctx, ref))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestFileSizeLimit(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "passed" {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFullDisk does the same on a file system that is really full, where it may mount
// one; TestFileSizeLimit and TestFailingFile cover the rest of the world.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no right to mount (%v); TestFileSizeLimit has run instead", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	if err := fillUp(dir, 3<<20); err != nil {
		t.Error(err)
	}
}

// failingFile fails in one of its methods.
type failingFile struct {
	file
	write, sync, close error
}

func (f failingFile) WriteAt(p []byte, off int64) (int, error) {
	if f.write == nil {
		return f.file.WriteAt(p, off)
	}
	n, _ := f.file.WriteAt(p[:len(p)/2], off)
	return n, f.write
}

func (f failingFile) Write(p []byte) (int, error) {
	if f.write == nil {
		return f.file.Write(p)
	}
	n, _ := f.file.Write(p[:len(p)/2])
	return n, f.write
}

func (f failingFile) Sync() error {
	if f.sync == nil {
		return f.file.Sync()
	}
	return f.sync
}

func (f failingFile) Close() error { return errors.Join(f.file.Close(), f.close) }

func TestFailingFile(t *testing.T) {
	full := &os.PathError{Op: "x", Path: "y", Err: syscall.ENOSPC}
	quota := &os.PathError{Op: "x", Path: "y", Err: syscall.EDQUOT}
	broken := &os.PathError{Op: "x", Path: "y", Err: syscall.EIO}
	cases := map[string]struct {
		make func(file) file
		dir  error
		kind spoolerr.Kind
		code spoolerr.Code
	}{
		"write full":  {func(f file) file { return failingFile{file: f, write: full} }, nil, spoolerr.NoSpace, spoolerr.CodeNoSpoolSpace},
		"sync full":   {func(f file) file { return failingFile{file: f, sync: full} }, nil, spoolerr.NoSpace, spoolerr.CodeNoSpoolSpace},
		"sync quota":  {func(f file) file { return failingFile{file: f, sync: quota} }, nil, spoolerr.NoSpace, spoolerr.CodeNoSpoolSpace},
		"sync broken": {func(f file) file { return failingFile{file: f, sync: broken} }, nil, spoolerr.Unavailable, spoolerr.CodeNotConnected},
		"dir full":    {func(f file) file { return f }, full, spoolerr.NoSpace, spoolerr.CodeNoSpoolSpace},
		"dir broken":  {func(f file) file { return f }, broken, spoolerr.Unavailable, spoolerr.CodeNotConnected},
	}
	for name, c := range cases {
		for _, size := range []int{1000, MaxInline + 1000} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				s := open(t, t.TempDir(), Options{})
				real, syncDir := s.create, s.sync.fn
				s.create = func(id string) (file, error) {
					f, err := real(id)
					return c.make(f), err
				}
				if c.dir != nil {
					s.sync.fn = func() error { return c.dir }
				}
				w, err := s.Create(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				_, _ = w.ReadFrom(bytes.NewReader(make([]byte, size)))
				_, err = w.Commit(t.Context())
				wants(t, err, c.kind, c.code)
				if left := files(t, s); len(left) > 0 || len(s.live) > 0 {
					t.Errorf("left behind: %q, %v", left, s.live)
				}
				s.create, s.sync.fn = real, syncDir
				submit(t, s, []byte("goes on"))
			})
		}
	}
}

func TestSyncGroup(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	calls := 0
	oops := errors.New("oops")
	g := syncGroup{fn: func() error {
		calls++
		if calls == 1 {
			close(entered)
			<-release
			return nil
		}
		return oops
	}}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := g.do(); err != nil {
			t.Errorf("first: %v", err)
		}
	})
	<-entered
	rounds := make([]*syncRound, 10)
	leaders := 0
	for i := range rounds { // all of them came after the first sync began: it is not theirs
		var leader bool
		if rounds[i], leader = g.join(); leader {
			leaders++
		}
		if rounds[i] != rounds[0] {
			t.Errorf("caller %d is not in the common round", i)
		}
	}
	close(release)
	wg.Wait()
	if leaders != 1 || rounds[0].before == nil {
		t.Errorf("%d leaders", leaders)
	}
	close(rounds[0].done) // the round's leader, which this test is, gives up
	rounds[0].begun = true
	if err := g.do(); !errors.Is(err, oops) || calls != 2 {
		t.Errorf("got %v after %d calls", err, calls)
	}
}
