package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func goexit() { runtime.Goexit() }

// image gives the bytes of a store with 2,000 entries.
func image(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.db")
	b := open(t, path)
	fill(t, b, 2000)
	for range 3 { // so that the root and the list of free pages move away from the end
		fill(t, b, 1)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBoltRefusesDamagedFile(t *testing.T) {
	good := image(t)
	garbage := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range garbage {
		garbage[i] = byte(random.Uint32())
	}
	noMeta := bytes.Clone(good)
	clear(noMeta[:8192])
	cases := map[string][]byte{
		"empty": nil, "one byte": {1}, "text": []byte("this is no store\n"), "zeros": make([]byte, 1<<20),
		"garbage": garbage, "no meta pages": noMeta,
		"cut after one page": good[:4096], "cut after two pages": good[:8192], "cut after five pages": good[:5*4096],
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			path := write(t, data)
			for range 2 { // the lock must have been given back
				if b, err := store.OpenBolt(path, store.Options{}); !errors.Is(err, spoolerr.Corrupt) {
					t.Errorf("got %v, %v", b, err)
				}
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, data) {
				t.Error("the damaged file was changed")
			}
		})
	}
}

// Wherever the file was cut off, opening it says so: nobody finds out in the middle of a
// job.
func TestBoltRefusesEveryCut(t *testing.T) {
	good := image(t)
	used := len(bytes.TrimRight(good, "\x00"))
	for size := 4096; size < used; size += 4096 {
		if b, err := store.OpenBolt(write(t, good[:size]), store.Options{}); !errors.Is(err, spoolerr.Corrupt) {
			t.Errorf("cut to %d of %d bytes: got %v, %v", size, used, b, err)
		}
	}
}

// exercise does everything with a store that may be damaged. Only sound answers and
// Corrupt errors are allowed, never a wrong value.
func exercise(t *testing.T, path string) {
	t.Helper()
	b, err := store.OpenBolt(path, store.Options{})
	if err != nil {
		if !errors.Is(err, spoolerr.Corrupt) {
			t.Fatalf("open: %v", err)
		}
		return
	}
	ctx := context.Background()
	report := func(what string, err error) {
		if err != nil && !errors.Is(err, spoolerr.Corrupt) && !errors.Is(err, spoolerr.NotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	report("scan", b.View(ctx, func(tx store.Tx) error {
		var last error
		for item, err := range tx.Scan("key/", "") {
			if err != nil {
				report("item", err)
				last = err
				continue
			}
			var i, j int
			if _, err := fmt.Sscanf(string(item.Value), "value %d %d", &i, &j); err != nil || item.Key != fmt.Sprintf("key/%06d", i) {
				t.Errorf("entry %q has the value %.20q", item.Key, item.Value)
			}
		}
		return last
	}))
	for i := 0; i < 2000; i += 97 {
		report("update", b.Update(ctx, func(tx store.Tx) error {
			_, err := tx.Get(fmt.Sprintf("key/%06d", i))
			return errors.Join(err, tx.Put(fmt.Sprintf("key/%06d", i+1), fmt.Appendf(nil, "value %06d %0300d", i+1, 0)))
		}))
	}
	report("close", b.Close())
	again, err := store.OpenBolt(path, store.Options{})
	report("open again", err)
	if err == nil {
		report("close again", again.Close())
	}
}

func TestBoltDamagedPages(t *testing.T) {
	good := image(t)
	used := len(bytes.TrimRight(good, "\x00"))
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 60 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			data := bytes.Clone(good)
			at := 8192 + random.IntN(used-8192)
			switch n % 3 {
			case 0: // one bit
				data[at] ^= 1 << random.IntN(8)
			case 1: // a page of nothing
				clear(data[at&^4095 : at&^4095+4096])
			case 2: // garbage at the head of a page
				for i := range 32 {
					data[at&^4095+i] = byte(random.Uint32())
				}
			}
			exercise(t, write(t, data))
		})
	}
}

// The file is cut off beneath the running store: touching the lost pages faults.
func TestBoltTruncatedWhileOpen(t *testing.T) {
	path := write(t, image(t))
	b := open(t, path)
	if err := os.Truncate(path, 5*4096); err != nil {
		t.Fatal(err)
	}
	err := b.View(t.Context(), func(tx store.Tx) error {
		for _, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.Is(err, spoolerr.Corrupt) {
		t.Errorf("view: %v", err)
	}
	err = b.Update(t.Context(), func(tx store.Tx) error { return tx.Put("key/001000", nil) })
	if !errors.Is(err, spoolerr.Corrupt) {
		t.Errorf("update: %v", err)
	}
}
