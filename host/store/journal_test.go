package store_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/storetest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Every checkpoint is one of a store's commits as far as its users can see.
func TestBoltConformsWithCheckpoints(t *testing.T) {
	for _, at := range []int64{64, 2 << 10} { // none fits, and one for every few commits
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Opener {
				path := filepath.Join(t.TempDir(), "state.db")
				return func() (store.Store, error) { return store.OpenBolt(path, store.Checkpointing(at)) }
			})
		})
	}
}

// model is what a store should hold.
type model map[string]string

// change puts and deletes some keys, in the store and in the model.
func (m model) change(t *testing.T, b *store.Bolt, random *rand.Rand) {
	t.Helper()
	next := maps.Clone(m)
	err := b.Update(t.Context(), func(tx store.Tx) error {
		for range 1 + random.IntN(5) {
			key := fmt.Sprintf("key/%03d", random.IntN(200))
			if random.IntN(3) == 0 {
				delete(next, key)
				if err := tx.Delete(key); err != nil {
					return err
				}
				continue
			}
			next[key] = strings.Repeat("v", random.IntN(300)) + fmt.Sprint(random.Uint64())
			if err := tx.Put(key, []byte(next[key])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	clear(m)
	maps.Copy(m, next)
}

func contents(t *testing.T, b *store.Bolt) model {
	t.Helper()
	m := model{}
	if err := b.View(t.Context(), func(tx store.Tx) error {
		for item, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			m[item.Key] = string(item.Value)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestBoltCrashes(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	path := filepath.Join(t.TempDir(), "state.db")
	want := model{}
	for life := range 40 {
		b, err := store.OpenBolt(path, store.Checkpointing(int64(256+random.IntN(4096))))
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(t, b); !maps.Equal(got, want) {
			t.Fatalf("life %d: %d entries, and not those that were committed (%d)", life, len(got), len(want))
		}
		for range random.IntN(40) {
			want.change(t, b, random)
		}
		if random.IntN(4) == 0 {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if left, _ := filepath.Glob(path + "-*"); len(left) > 0 {
				t.Fatalf("Close left %q", left)
			}
			continue
		}
		b.Crash()
	}
}

// crashed gives the files of a store that has committed so many numbered entries and crashed.
func crashed(t *testing.T, commits int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	b, err := store.OpenBolt(filepath.Join(dir, "state.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range commits {
		if err := b.Update(t.Context(), func(tx store.Tx) error {
			return tx.Put(fmt.Sprintf("k/%04d", i), bytes.Repeat([]byte{byte(i)}, 150))
		}); err != nil {
			t.Fatal(err)
		}
	}
	b.Crash()
	return dir
}

// reopen opens a copy of the files with another journal.
func reopen(t *testing.T, dir string, journal []byte) (*store.Bolt, error) {
	t.Helper()
	to := t.TempDir()
	state, err := os.ReadFile(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(to, "state.db"), state, 0o600), os.WriteFile(filepath.Join(to, "state.db-journal"), journal, 0o600)); err != nil {
		t.Fatal(err)
	}
	return store.OpenBolt(filepath.Join(to, "state.db"), store.Options{})
}

// A record that was torn by the end of the machine was never acknowledged: it is gone, and
// nothing else. Damage before it is told.
func TestBoltTornJournal(t *testing.T) {
	const commits, last, record, used = 8, 7, 192, 64 + 8*192
	dir := crashed(t, commits)
	good, err := os.ReadFile(filepath.Join(dir, "state.db-journal"))
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimRight(good, "\x00")) > used || len(bytes.TrimRight(good, "\x00")) <= used-record {
		t.Fatalf("the records end at %d, not at %d", len(bytes.TrimRight(good, "\x00")), used)
	}
	for at := 0; at < used; at += 56 {
		for name, spoil := range map[string]func(b []byte) []byte{
			"flip": func(b []byte) []byte { b[at] ^= 0x10; return b },
			"cut":  func(b []byte) []byte { return b[:at] },
			"lost": func(b []byte) []byte { clear(b[at:]); return b },
		} {
			b, err := reopen(t, dir, spoil(bytes.Clone(good)))
			if err != nil {
				if !errors.Is(err, spoolerr.Corrupt) {
					t.Errorf("%s at %d: %v", name, at, err)
				}
				if name == "flip" && at >= used-record {
					t.Errorf("a torn last record, at %d, is refused: %v", at, err)
				}
				continue
			}
			n := len(contents(t, b))
			if name == "flip" && n < last || n > commits {
				t.Errorf("%s at %d: %d entries of %d", name, at, n, commits)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestBoltForeignJournal(t *testing.T) {
	one, other := crashed(t, 3), crashed(t, 3)
	theirs, err := os.ReadFile(filepath.Join(other, "state.db-journal"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reopen(t, one, theirs); !errors.Is(err, spoolerr.Corrupt) || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("got %v", err)
	}
}

// A backup of the file beside newer journals is not what was committed.
func TestBoltOldFileNewJournal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.db")
	fillAndClose := func() {
		b := open(t, path)
		fill(t, b, 3)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	fillAndClose()
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fillAndClose()
	b, err := store.OpenBolt(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, b, 3)
	b.Crash()
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenBolt(path, store.Options{}); !errors.Is(err, spoolerr.Corrupt) || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("got %v", err)
	}
}

// A crash in the middle of a checkpoint: two journals hold what the file does not.
func TestBoltCrashInCheckpoint(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	from := t.TempDir()
	b := open(t, filepath.Join(from, "state.db"), store.Checkpointing(2<<10))
	want := model{}
	release := b.HoldFile() // no checkpoint ends
	for b.Journals() < 2 {
		want.change(t, b, random)
	}
	for range 5 {
		want.change(t, b, random)
	}
	to := t.TempDir()
	for _, name := range []string{"state.db", "state.db-journal", "state.db-journal2"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, b); !maps.Equal(got, want) {
		t.Errorf("while a checkpoint waits: %d entries, want %d", len(got), len(want))
	}
	release()
	if got := contents(t, open(t, filepath.Join(to, "state.db"))); !maps.Equal(got, want) {
		t.Errorf("after the crash: %d entries, want %d", len(got), len(want))
	}
}

const killEnv = "SPOOLHOST_STORE_TEST_KILL"

// runKilled is the test binary's other life: it commits, says so, and waits to be killed.
func runKilled() bool {
	path := os.Getenv(killEnv)
	if path == "" {
		return false
	}
	b, err := store.OpenBolt(path, store.Checkpointing(8<<10))
	if err != nil {
		fmt.Println(err)
		return true
	}
	for g := range 4 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("k/%d/%06d", g, i)
				if err := b.Update(context.Background(), func(tx store.Tx) error { return tx.Put(key, make([]byte, 200)) }); err != nil {
					fmt.Println(err)
					return
				}
				fmt.Println(key)
			}
		}()
	}
	select {}
}

// What was acknowledged outlives kill -9 at any moment.
func TestBoltKilled(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 8 {
		path := filepath.Join(t.TempDir(), "state.db")
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []string
		lines, enough := bufio.NewScanner(out), 50+random.IntN(400)
		for lines.Scan() {
			acknowledged = append(acknowledged, lines.Text())
			if len(acknowledged) == enough {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		b := open(t, path)
		got := contents(t, b)
		for _, key := range acknowledged[:len(acknowledged)-1] { // the last line may be cut
			if _, there := got[key]; !there {
				t.Errorf("of %d acknowledged, %q is lost", len(acknowledged), key)
			}
		}
	}
}
