package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const childEnv = "SPOOLHOST_STORE_TEST_FULL"

// runChild is the test binary's other life: a process that may write files of 6 MiB only.
func runChild() bool {
	path := os.Getenv(childEnv)
	if path == "" {
		return false
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 6 << 20, Max: 6 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println(err)
		return true
	}
	if err := fillUp(path); err != nil {
		fmt.Println(err)
		return true
	}
	fmt.Println("passed")
	return true
}

func TestBoltFileSizeLimit(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+filepath.Join(t.TempDir(), "state.db"))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "passed" {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBoltFullDisk does the same on a file system that is really full, where it may
// mount one; TestBoltFileSizeLimit covers the rest of the world.
func TestBoltFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no right to mount (%v); TestBoltFileSizeLimit has run instead", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	if err := fillUp(filepath.Join(dir, "state.db")); err != nil {
		t.Error(err)
	}
}

// fillUp writes until nothing fits any more, then checks that what was acknowledged is
// there and nothing else, that room can be made, and that the store goes on.
func fillUp(path string) error {
	ctx := context.Background()
	b, err := store.OpenBolt(path, store.Options{})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	stored := 0
	for ; ; stored++ {
		err = b.Update(ctx, func(tx store.Tx) error { return tx.Put(fmt.Sprintf("k/%04d", stored), make([]byte, 20000)) })
		if err != nil {
			break
		}
		if stored > 1000 {
			return errors.New("the disk never became full")
		}
	}
	if !errors.Is(err, spoolerr.NoSpace) || !errors.Is(err, spoolerr.CodeDiskFull) {
		return fmt.Errorf("full disk after %d: %w", stored, err)
	}
	if err := count(b, stored); err != nil {
		return err
	}
	if err := b.Update(ctx, func(tx store.Tx) error {
		for i := range stored / 2 {
			if err := tx.Delete(fmt.Sprintf("k/%04d", i)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	for i := range stored / 4 {
		err := b.Update(ctx, func(tx store.Tx) error { return tx.Put(fmt.Sprintf("k/%04d", i), make([]byte, 20000)) })
		if err != nil {
			return fmt.Errorf("after making room: %w", err)
		}
	}
	want := stored - stored/2 + stored/4
	if err := errors.Join(count(b, want), b.Close()); err != nil {
		return err
	}
	b, err = store.OpenBolt(path, store.Options{})
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	return errors.Join(count(b, want), b.Close())
}

func count(b *store.Bolt, want int) error {
	n := 0
	err := b.View(context.Background(), func(tx store.Tx) error {
		for _, err := range tx.Scan("k/", "") {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err == nil && n != want {
		err = fmt.Errorf("%d entries instead of %d", n, want)
	}
	return err
}
