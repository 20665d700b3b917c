package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/storetest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) {
	if runChild() || runKilled() {
		return
	}
	goleak.VerifyTestMain(m)
}

func TestBoltConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		path := filepath.Join(t.TempDir(), "state.db")
		return func() (store.Store, error) { return store.OpenBolt(path, store.Options{}) }
	})
}

func open(t testing.TB, path string, options ...store.Options) *store.Bolt {
	t.Helper()
	b, err := store.OpenBolt(path, append(options, store.Options{})[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func fill(t testing.TB, b *store.Bolt, n int) {
	t.Helper()
	err := b.Update(context.Background(), func(tx store.Tx) error {
		for i := range n {
			if err := tx.Put(fmt.Sprintf("key/%06d", i), fmt.Appendf(nil, "value %06d %0200d", i, i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBoltInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	open(t, path)
	if _, err := store.OpenBolt(path, store.Options{}); !errors.Is(err, spoolerr.Busy) {
		t.Errorf("got %v", err)
	}
}

func TestBoltManyOpenersOneWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var wg sync.WaitGroup
	opened := make([]*store.Bolt, 8)
	for i := range opened {
		wg.Go(func() {
			b, err := store.OpenBolt(path, store.Options{})
			if err != nil && !errors.Is(err, spoolerr.Busy) {
				t.Errorf("opener %d: %v", i, err)
			}
			opened[i] = b
		})
	}
	wg.Wait()
	won := 0
	for _, b := range opened {
		if b != nil {
			won++
			fill(t, b, 3)
			_ = b.Close()
		}
	}
	if won != 1 {
		t.Errorf("%d openers have the store", won)
	}
	if _, err := os.Stat(path + ".new"); err == nil {
		t.Error("the temporary file is left")
	}
	fill(t, open(t, path), 3)
}

func TestBoltCreateAfterCrash(t *testing.T) {
	for name, rest := range map[string][]byte{"empty": nil, "zeros": make([]byte, 16384), "torn": []byte("torn")} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			if err := os.WriteFile(path+".new", rest, 0o600); err != nil {
				t.Fatal(err)
			}
			fill(t, open(t, path), 3)
		})
	}
}

func TestBoltNoFolder(t *testing.T) {
	_, err := store.OpenBolt(filepath.Join(t.TempDir(), "no", "state.db"), store.Options{})
	if !errors.Is(err, spoolerr.NotFound) {
		t.Errorf("got %v", err)
	}
}

// A function that ends its goroutine (t.Fatal does) must not leave the others waiting.
func TestBoltGoexit(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "state.db"))
	inside, queued := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = b.Update(context.Background(), func(store.Tx) error {
			close(inside)
			<-queued
			return nil
		})
	})
	<-inside
	results := make([]error, 4)
	for i := range results {
		wg.Go(func() {
			results[i] = errors.New("ended")
			results[i] = b.Update(context.Background(), func(tx store.Tx) error {
				if i == 2 {
					goexit()
				}
				return tx.Put("k", nil)
			})
		})
	}
	poll.Until(t, "the commits wait in line", func() bool { return b.Queued() == len(results) })
	close(queued)
	wg.Wait()
	for i, err := range results {
		if err == nil {
			t.Errorf("update %d beside a Goexit was acknowledged", i)
		}
	}
	fill(t, b, 1)
}

// A caller that gives up while it waits returns at once, and its function never runs.
func TestBoltWithdraw(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "state.db"))
	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	block := func(store.Tx) error { close(inside); <-release; return nil }
	wg.Go(func() { _ = b.Update(context.Background(), block) })
	<-inside
	ran := false
	wg.Go(func() { // leads the next batch
		_ = b.Update(context.Background(), func(store.Tx) error { return nil })
	})
	poll.Until(t, "the commits wait in line", func() bool { return b.Queued() == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	wg.Go(func() { result <- b.Update(ctx, func(store.Tx) error { ran = true; return nil }) })
	poll.Until(t, "the commits wait in line", func() bool { return b.Queued() == 2 })
	cancel()
	if err := <-result; !errors.Is(err, spoolerr.Cancelled) {
		t.Errorf("got %v", err)
	}
	close(release)
	wg.Wait()
	if ran {
		t.Error("the function ran")
	}
}

// A crowd shares commits.
func TestBoltGroups(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "state.db"))
	before := b.Commits()
	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = b.Update(context.Background(), func(tx store.Tx) error { close(inside); <-release; return tx.Put("first", nil) })
	})
	<-inside
	for i := range 50 {
		wg.Go(func() {
			if err := b.Update(context.Background(), func(tx store.Tx) error { return tx.Put(fmt.Sprint(i), nil) }); err != nil {
				t.Error(err)
			}
		})
	}
	poll.Until(t, "the commits wait in line", func() bool { return b.Queued() == 50 })
	close(release)
	wg.Wait()
	if got := b.Commits() - before; got != 2 {
		t.Errorf("51 updates took %d commits instead of 2", got)
	}
}

func BenchmarkBoltUpdate(b *testing.B) {
	for _, n := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("goroutines=", n), func(b *testing.B) { benchmarkUpdate(b, n) })
	}
}

func benchmarkUpdate(b *testing.B, n int) {
	s := open(b, filepath.Join(b.TempDir(), "state.db"))
	value := make([]byte, 512)
	var wg sync.WaitGroup
	b.ResetTimer()
	before := s.Commits()
	for g := range n {
		wg.Go(func() {
			for i := g; i < b.N; i += n {
				key := fmt.Sprintf("job/%08d", i%10000)
				if err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Put(key, value) }); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	b.ReportMetric(float64(b.N)/float64(s.Commits()-before), "updates/commit")
}
