package etcd_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/etcd"
	"github.com/spoolhost/spoolhost/host/store/etcd/etcdtest"
)

// TestCompactedWhileCutOff: etcd goes, comes back elsewhere, and has forgotten what was
// written meanwhile. Whoever watches is told that anything may have changed, and then of
// every change again; what is read and written is of now.
func TestCompactedWhileCutOff(t *testing.T) {
	dir, prefix := t.TempDir(), etcdtest.Prefix(t)
	stop, endpoint := etcdtest.Member(t, dir)
	client := etcdtest.Client(t, endpoint)
	s := etcd.Open(client, etcd.Options{Prefix: prefix, Writer: "one"})
	defer s.Close()
	w := s.Watch("a/")
	defer w.Close()
	put(t, s, "a/1")
	heard(t, w, "a/1")
	stop()

	_, endpoint = etcdtest.Member(t, dir)
	outside := etcdtest.Client(t, endpoint)
	other := etcd.Open(outside, etcd.Options{Prefix: prefix, Writer: "two"})
	defer other.Close()
	for _, key := range []string{"a/2", "a/3", "a/4"} {
		put(t, other, key)
	}
	reply, err := outside.Get(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := outside.Compact(t.Context(), reply.Header.Revision); err != nil {
		t.Fatal(err)
	}
	client.SetEndpoints(endpoint)
	heard(t, w, "a/4")
	put(t, s, "a/5") // its last snapshot is compacted away
	put(t, other, "a/6")
	heard(t, w, "a/6")
	count := 0
	err = s.View(t.Context(), func(tx store.Tx) error {
		for _, err := range tx.Scan("a/", "") {
			if err != nil {
				return err
			}
			count++
		}
		return nil
	})
	if err != nil || count != 6 {
		t.Errorf("%d entries, %v", count, err)
	}
}

func put(t *testing.T, s store.Store, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Update(ctx, func(tx store.Tx) error { return tx.Put(key, []byte("x")) }); err != nil {
		t.Fatal(err)
	}
}

// heard waits until the watcher is told of a key, or that anything may have changed.
func heard(t *testing.T, w *store.Watcher, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		c, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("nobody was told of %s: %v", key, err)
		}
		if c.All || slices.Contains(c.Keys, key) {
			return
		}
	}
}

// TestTold: what another has written before one's own last commit is known to the watchers
// after Told, every time.
func TestTold(t *testing.T) {
	_, endpoint := etcdtest.Member(t, t.TempDir())
	prefix := etcdtest.Prefix(t)
	ours := etcd.Open(etcdtest.Client(t, endpoint), etcd.Options{Prefix: prefix, Writer: "one"})
	defer ours.Close()
	theirs := etcd.Open(etcdtest.Client(t, endpoint), etcd.Options{Prefix: prefix, Writer: "two"})
	defer theirs.Close()
	if err := store.Told(t.Context(), ours); err != nil {
		t.Errorf("a store that has written nothing: %v", err)
	}
	put(t, ours, "a/first")
	for i := range 100 {
		w := ours.Watch("b/")
		put(t, theirs, fmt.Sprint("b/", i))
		put(t, ours, fmt.Sprint("a/", i))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := store.Told(ctx, ours); err != nil || !w.Pending() {
			t.Fatalf("%d: %v; the watcher knows: %v", i, err, w.Pending())
		}
		cancel()
		w.Close()
	}
}
