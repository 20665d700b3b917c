// Package storetest is what every implementation of store.Store has to pass.
//
// Tests of the implementations import it; nothing else does.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Opener opens a store. Each call opens the same storage, which is empty at first; the
// suite closes what it opens, and has one open at a time.
type Opener func() (store.Store, error)

// Run runs the suite. make makes new, empty storage for the test t.
func Run(t *testing.T, make func(t *testing.T) Opener) {
	cases := []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"values", values},
		{"limits", limits},
		{"read your writes", readYourWrites},
		{"scan order", scanOrder},
		{"scan merges writes", scanMerges},
		{"scan while writing", scanWhileWriting},
		{"failure keeps nothing", failureKeepsNothing},
		{"panic keeps nothing", panicKeepsNothing},
		{"error unchanged", errorUnchanged},
		{"view is a snapshot", viewIsSnapshot},
		{"view refuses writes", viewRefusesWrites},
		{"tx ends with its function", txEnds},
		{"done context", doneContext},
		{"counters", counters},
		{"failing beside succeeding", failingBeside},
		{"transfers", transfers},
		{"watch", watch},
		{"watch overflow", watchOverflow},
		{"guard", guard},
		{"guard races", guardRaces},
		{"reopen", reopen},
		{"close", closing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := &fixture{t: t, opener: make(t)}
			f.open()
			t.Cleanup(f.close)
			c.run(t, f)
		})
	}
}

// fixture is one test's storage.
type fixture struct {
	t      *testing.T
	opener Opener
	s      store.Store
}

func (f *fixture) open() {
	f.t.Helper()
	s, err := f.opener()
	if err != nil {
		f.t.Fatalf("open: %v", err)
	}
	f.s = s
}

func (f *fixture) close() {
	f.t.Helper()
	if err := f.s.Close(); err != nil {
		f.t.Errorf("close: %v", err)
	}
}

func (f *fixture) update(fn func(store.Tx) error) {
	f.t.Helper()
	if err := f.s.Update(f.t.Context(), fn); err != nil {
		f.t.Fatalf("update: %v", err)
	}
}

func (f *fixture) put(pairs ...string) {
	f.t.Helper()
	f.update(func(tx store.Tx) error { return put(tx, pairs...) })
}

func (f *fixture) expect(prefix, after string, want ...string) {
	f.t.Helper()
	err := f.s.View(f.t.Context(), func(tx store.Tx) error { return expect(tx, prefix, after, want...) })
	if err != nil {
		f.t.Fatal(err)
	}
}

func put(tx store.Tx, pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := tx.Put(pairs[i], []byte(pairs[i+1])); err != nil {
			return err
		}
	}
	return nil
}

// expect compares a scan with keys and values in turn.
func expect(tx store.Tx, prefix, after string, want ...string) error {
	var got []string
	for item, err := range tx.Scan(prefix, after) {
		if err != nil {
			return err
		}
		got = append(got, item.Key, string(item.Value))
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("scan of %q after %q gave %q, want %q", prefix, after, got, want)
	}
	return nil
}

func values(t *testing.T, f *fixture) {
	buf := []byte("one")
	f.update(func(tx store.Tx) error {
		err := tx.Put("k", buf)
		copy(buf, "xxx") // Put must have copied
		return errors.Join(err, tx.Put("empty", nil), tx.Delete("absent"))
	})
	f.update(func(tx store.Tx) error {
		got, err := tx.Get("k")
		if string(got) != "one" {
			t.Errorf("got %q, %v", got, err)
		}
		if len(got) > 0 {
			got[0] = 'X' // must be a copy
		}
		if got, err := tx.Get("empty"); err != nil || len(got) != 0 {
			t.Errorf("empty value: %q, %v", got, err)
		}
		if _, err := tx.Get("absent"); !errors.Is(err, spoolerr.NotFound) {
			t.Errorf("absent: %v", err)
		}
		return nil
	})
	f.expect("", "", "empty", "", "k", "one")
	f.update(func(tx store.Tx) error { return tx.Delete("k") })
	f.expect("", "", "empty", "")
}

func limits(t *testing.T, f *fixture) {
	f.update(func(tx store.Tx) error {
		for _, key := range []string{"", strings.Repeat("k", store.MaxKeyLen+1)} {
			_, err := tx.Get(key)
			for _, err := range []error{err, tx.Put(key, nil), tx.Delete(key)} {
				if !errors.Is(err, spoolerr.Invalid) {
					t.Errorf("key of %d bytes: %v", len(key), err)
				}
			}
		}
		if err := tx.Put("k", make([]byte, store.MaxValueLen+1)); !errors.Is(err, spoolerr.Invalid) {
			t.Errorf("too long a value: %v", err)
		}
		return errors.Join(
			tx.Put(strings.Repeat("k", store.MaxKeyLen), []byte("v")),
			tx.Put("big", make([]byte, store.MaxValueLen)))
	})
	err := f.s.View(t.Context(), func(tx store.Tx) error {
		got, err := tx.Get("big")
		if len(got) != store.MaxValueLen {
			t.Errorf("big value came back with %d bytes", len(got))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func readYourWrites(t *testing.T, f *fixture) {
	f.put("a", "1", "b", "2")
	f.update(func(tx store.Tx) error {
		if err := errors.Join(tx.Delete("a"), put(tx, "b", "3", "c", "4")); err != nil {
			return err
		}
		if _, err := tx.Get("a"); !errors.Is(err, spoolerr.NotFound) {
			t.Errorf("deleted key: %v", err)
		}
		if got, err := tx.Get("b"); string(got) != "3" {
			t.Errorf("overwritten key: %q, %v", got, err)
		}
		if err := expect(tx, "", "", "b", "3", "c", "4"); err != nil {
			t.Error(err)
		}
		return put(tx, "a", "5")
	})
	f.expect("", "", "a", "5", "b", "3", "c", "4")
}

func scanOrder(t *testing.T, f *fixture) {
	f.put("p/b", "2", "p/a", "1", "p/c", "3", "q", "9", "p", "0", "p/\x00", "z", "p0", "8", "o", "7")
	f.expect("p/", "", "p/\x00", "z", "p/a", "1", "p/b", "2", "p/c", "3")
	f.expect("p/", "p/a", "p/b", "2", "p/c", "3")
	f.expect("p/", "p/aa", "p/b", "2", "p/c", "3")
	f.expect("p/", "p/c")
	f.expect("p/", "z")
	f.expect("p/", "a", "p/\x00", "z", "p/a", "1", "p/b", "2", "p/c", "3")
	f.expect("p", "p", "p/\x00", "z", "p/a", "1", "p/b", "2", "p/c", "3", "p0", "8")
	f.expect("none", "")
	err := f.s.View(t.Context(), func(tx store.Tx) error {
		for item := range tx.Scan("p/", "") {
			if item.Key == "p/a" {
				return nil
			}
		}
		return errors.New("the scan did not stop where it was left")
	})
	if err != nil {
		t.Error(err)
	}
}

func scanMerges(t *testing.T, f *fixture) {
	f.put("a", "1", "c", "3", "e", "5", "g", "7")
	f.update(func(tx store.Tx) error {
		err := errors.Join(put(tx, "b", "2", "c", "33", "h", "8", "0", "0"), tx.Delete("e"), tx.Delete("x"))
		return errors.Join(err,
			expect(tx, "", "", "0", "0", "a", "1", "b", "2", "c", "33", "g", "7", "h", "8"),
			expect(tx, "", "c", "g", "7", "h", "8"),
			expect(tx, "e", ""))
	})
	f.expect("", "", "0", "0", "a", "1", "b", "2", "c", "33", "g", "7", "h", "8")
}

func scanWhileWriting(t *testing.T, f *fixture) {
	f.put("a", "1", "b", "2", "c", "3")
	f.update(func(tx store.Tx) error {
		var seen []string
		for item, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			seen = append(seen, item.Key)
			switch item.Key {
			case "a":
				err = errors.Join(tx.Delete("a"), tx.Delete("b"), tx.Put("bb", nil))
			case "bb":
				err = errors.Join(tx.Put("d", nil), tx.Put("0", nil))
			}
			if err != nil {
				return err
			}
		}
		if want := []string{"a", "bb", "c", "d"}; !slices.Equal(seen, want) {
			t.Errorf("saw %q, want %q", seen, want)
		}
		return nil
	})
	f.expect("", "", "0", "", "bb", "", "c", "3", "d", "")
}

func failureKeepsNothing(t *testing.T, f *fixture) {
	f.put("a", "1")
	oops := errors.New("oops")
	err := f.s.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(put(tx, "a", "2", "b", "2"), oops)
	})
	if !errors.Is(err, oops) {
		t.Errorf("got %v", err)
	}
	f.expect("", "", "a", "1")
}

func panicKeepsNothing(t *testing.T, f *fixture) {
	panics := func(tx store.Tx) error {
		_ = tx.Put("a", nil)
		panic("oops")
	}
	if err := f.s.Update(t.Context(), panics); !errors.Is(err, spoolerr.Internal) {
		t.Errorf("update: %v", err)
	}
	if err := f.s.View(t.Context(), panics); !errors.Is(err, spoolerr.Internal) {
		t.Errorf("view: %v", err)
	}
	f.put("b", "1")
	f.expect("", "", "b", "1")
}

func errorUnchanged(t *testing.T, f *fixture) {
	oops := errors.New("oops")
	fails := func(store.Tx) error { return oops }
	if err := f.s.Update(t.Context(), fails); err != oops { //nolint:errorlint // unchanged is what is asked
		t.Errorf("update: %v", err)
	}
	if err := f.s.View(t.Context(), fails); err != oops { //nolint:errorlint // unchanged is what is asked
		t.Errorf("view: %v", err)
	}
}

func viewIsSnapshot(t *testing.T, f *fixture) {
	f.put("a", "1")
	inView, written := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		<-inView
		err := f.s.Update(context.Background(), func(tx store.Tx) error { return put(tx, "a", "2", "b", "2") })
		if err != nil {
			t.Errorf("update: %v", err)
		}
		close(written)
	})
	err := f.s.View(t.Context(), func(tx store.Tx) error {
		close(inView)
		<-written
		return expect(tx, "", "", "a", "1")
	})
	wg.Wait()
	if err != nil {
		t.Error(err)
	}
	f.expect("", "", "a", "2", "b", "2")
}

func viewRefusesWrites(t *testing.T, f *fixture) {
	_ = f.s.View(t.Context(), func(tx store.Tx) error {
		for _, err := range []error{tx.Put("a", nil), tx.Delete("a")} {
			if !errors.Is(err, spoolerr.Denied) {
				t.Errorf("got %v", err)
			}
		}
		return nil
	})
	f.expect("", "")
}

func txEnds(t *testing.T, f *fixture) {
	f.put("a", "1")
	var kept store.Tx
	f.update(func(tx store.Tx) error { kept = tx; return nil })
	_, err := kept.Get("a")
	for _, err := range []error{err, kept.Put("b", nil), kept.Delete("a")} {
		if !errors.Is(err, spoolerr.Internal) {
			t.Errorf("got %v", err)
		}
	}
	for _, err := range kept.Scan("", "") {
		if !errors.Is(err, spoolerr.Internal) {
			t.Errorf("scan: %v", err)
		}
	}
}

func doneContext(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(store.Tx) error { t.Error("the function ran"); return nil }
	if err := f.s.Update(ctx, never); !errors.Is(err, spoolerr.Cancelled) {
		t.Errorf("update: %v", err)
	}
	if err := f.s.View(ctx, never); !errors.Is(err, spoolerr.Cancelled) {
		t.Errorf("view: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	err := f.s.Update(ctx, func(tx store.Tx) error {
		cancel() // too late: it has started
		return put(tx, "a", "1")
	})
	if err != nil {
		t.Errorf("an update that had started: %v", err)
	}
	f.expect("", "", "a", "1")
}
