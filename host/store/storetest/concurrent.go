package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func number(tx store.Tx, key string) (int, error) {
	b, err := tx.Get(key)
	if errors.Is(err, spoolerr.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(b))
}

func add(tx store.Tx, key string, n int) error {
	was, err := number(tx, key)
	if err != nil {
		return err
	}
	return tx.Put(key, []byte(strconv.Itoa(was+n)))
}

// counters: no increment is lost, and what was acknowledged survives.
func counters(t *testing.T, f *fixture) {
	const workers, rounds = 16, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range rounds {
				err := f.s.Update(context.Background(), func(tx store.Tx) error {
					return errors.Join(add(tx, "all", 1), add(tx, fmt.Sprint("own/", w), 1))
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	f.close()
	f.open()
	f.update(func(tx store.Tx) error {
		if got, err := number(tx, "all"); got != workers*rounds {
			t.Errorf("the common counter stands at %d instead of %d: %v", got, workers*rounds, err)
		}
		for w := range workers {
			if got, err := number(tx, fmt.Sprint("own/", w)); got != rounds {
				t.Errorf("counter %d stands at %d instead of %d: %v", w, got, rounds, err)
			}
		}
		return nil
	})
}

// failingBeside: functions that fail or panic or were given up take nothing from those
// that commit with them.
func failingBeside(t *testing.T, f *fixture) {
	const workers = 60
	oops := errors.New("oops")
	ran := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if w%4 == 3 {
				cancel()
			}
			ran[w] = f.s.Update(ctx, func(tx store.Tx) error {
				err := errors.Join(add(tx, "all", 1), tx.Put(fmt.Sprintf("own/%02d", w), nil))
				switch w % 4 {
				case 1:
					return errors.Join(err, oops)
				case 2:
					panic(oops)
				}
				return err
			})
		})
	}
	wg.Wait()
	want := [4]error{nil, oops, spoolerr.Internal, spoolerr.Cancelled}
	var keys []string
	for w, err := range ran {
		if !errors.Is(err, want[w%4]) {
			t.Errorf("worker %d: %v, want %v", w, err, want[w%4])
		}
		if err == nil {
			keys = append(keys, fmt.Sprintf("own/%02d", w), "")
		}
	}
	f.expect("own/", "", keys...)
	f.expect("all", "", "all", strconv.Itoa(workers/4))
}

// transfers: concurrent moves between accounts never make or lose money, in any snapshot.
func transfers(t *testing.T, f *fixture) {
	const accounts, total = 8, 800
	f.update(func(tx store.Tx) error { return add(tx, "account/0", total) })
	stop := make(chan struct{})
	var movers, watchers sync.WaitGroup
	for w := range 6 {
		movers.Go(func() {
			for i := range 30 {
				from, to := fmt.Sprint("account/", (w*7+i)%accounts), fmt.Sprint("account/", (w*3+i*5+1)%accounts)
				err := f.s.Update(context.Background(), func(tx store.Tx) error {
					have, err := number(tx, from)
					return errors.Join(err, add(tx, from, -have/2), add(tx, to, have/2))
				})
				if err != nil {
					t.Errorf("transfer: %v", err)
				}
			}
		})
	}
	watchers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if got := sum(t, f.s); got != total {
				t.Errorf("a snapshot holds %d instead of %d", got, total)
				return
			}
		}
	})
	movers.Wait()
	close(stop)
	watchers.Wait()
}

func sum(t *testing.T, s store.Store) (total int) {
	err := s.View(context.Background(), func(tx store.Tx) error {
		for item, err := range tx.Scan("account/", "") {
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(item.Value))
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	if err != nil {
		t.Errorf("sum: %v", err)
	}
	return total
}

func watch(t *testing.T, f *fixture) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f.put("w/before", "")
	w := f.s.Watch("w/")
	defer w.Close()
	f.put("w/b", "1", "other", "1")
	f.put("w/a", "1")
	f.update(func(tx store.Tx) error { return tx.Delete("w/b") })
	_ = f.s.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Put("w/failed", nil), errors.New("oops"))
	})
	var got []string // an implementation may split the notice
	for len(got) < 2 {
		change, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("next: %v (after %q)", err, got)
		}
		for _, key := range change.Keys {
			if !slices.Contains(got, key) {
				got = append(got, key)
			}
		}
	}
	slices.Sort(got)
	if want := []string{"w/a", "w/b"}; !slices.Equal(got, want) {
		t.Errorf("noticed %q, want %q", got, want)
	}
	done, end := context.WithCancel(ctx)
	end()
	if _, err := w.Next(done); !errors.Is(err, spoolerr.Cancelled) {
		t.Errorf("next with a done context: %v", err)
	}
	watchEnds(ctx, t, f, w)
}

// watchEnds: a notice that comes while the consumer waits, and the end of the watch.
func watchEnds(ctx context.Context, t *testing.T, f *fixture, w *store.Watcher) {
	var wg sync.WaitGroup
	wg.Go(func() {
		var change store.Change
		for !slices.Contains(change.Keys, "w/late") { // those before may come late
			var err error
			if change, err = w.Next(ctx); err != nil {
				t.Errorf("late notice: %+v, %v", change, err)
				return
			}
		}
	})
	f.put("w/late", "")
	wg.Wait()
	w.Close()
	w.Close()
	for range 2 {
		if _, err := w.Next(ctx); !errors.Is(err, spoolerr.Unavailable) {
			t.Errorf("next after close: %v", err)
		}
	}
}

func watchOverflow(t *testing.T, f *fixture) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w := f.s.Watch("")
	defer w.Close()
	for part := range 50 { // no implementation need take 5000 at once
		f.update(func(tx store.Tx) error {
			for i := range 100 {
				if err := tx.Put(fmt.Sprint(part*100+i), nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	change, err := w.Next(ctx)
	if err != nil || !change.All && len(change.Keys) == 0 {
		t.Errorf("got %d keys, all %v, %v", len(change.Keys), change.All, err)
	}
	for err == nil && !slices.Contains(change.Keys, "after") {
		f.put("after", "") // the notices before may come late
		change, err = w.Next(ctx)
	}
	if err != nil {
		t.Errorf("after the overflow: %v", err)
	}
}

func reopen(t *testing.T, f *fixture) {
	f.put("a", "1", "b", "2")
	f.update(func(tx store.Tx) error { return tx.Delete("a") })
	for range 3 {
		f.close()
		f.open()
		f.expect("", "", "b", "2")
	}
}

func closing(t *testing.T, f *fixture) {
	w := f.s.Watch("")
	f.close()
	f.close()
	nothing := func(store.Tx) error { t.Error("the function ran"); return nil }
	_, err := w.Next(t.Context())
	_, late := f.s.Watch("").Next(t.Context())
	for _, err := range []error{err, late, f.s.Update(t.Context(), nothing), f.s.View(t.Context(), nothing)} {
		if !errors.Is(err, spoolerr.Unavailable) {
			t.Errorf("got %v", err)
		}
	}
}
