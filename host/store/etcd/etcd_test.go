package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/etcd"
	"github.com/spoolhost/spoolhost/host/store/etcd/etcdtest"
	"github.com/spoolhost/spoolhost/host/store/storetest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConforms(t *testing.T) {
	client := etcdtest.Client(t, etcdtest.Start(t))
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		prefix := etcdtest.Prefix(t)
		return func() (store.Store, error) {
			return etcd.Open(client, etcd.Options{Prefix: prefix, Writer: "test"}), nil
		}
	})
}

// TestBeat: an entry of a lease is written again as long as it is there.
func TestBeat(t *testing.T) {
	s := etcd.Open(etcdtest.Client(t, etcdtest.Start(t)), etcd.Options{Prefix: etcdtest.Prefix(t), Writer: "test"})
	defer func() { _ = s.Close() }()
	leases := s.Leases()
	id, err := leases.Grant(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := leases.Beat(t.Context(), id, "beat", []byte("1")); !errors.Is(err, spoolerr.NotFound) {
		t.Errorf("a beat that is not there: %v", err)
	}
	if err := leases.Attach(t.Context(), id, "beat", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := leases.Beat(t.Context(), id, "beat", []byte("2")); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), func(tx store.Tx) error {
		if got, err := tx.Get("beat"); err != nil || string(got) != "2" {
			t.Errorf("%q, %v", got, err)
		}
		return tx.Delete("beat")
	}); err != nil {
		t.Fatal(err)
	}
	if err := leases.Beat(t.Context(), id, "beat", []byte("3")); !errors.Is(err, spoolerr.NotFound) {
		t.Errorf("a beat that was removed: %v", err)
	}
}

func BenchmarkUpdate(b *testing.B) {
	client := etcdtest.Client(b, etcdtest.Start(b))
	for _, n := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("goroutines=", n), func(b *testing.B) {
			s := etcd.Open(client, etcd.Options{Prefix: etcdtest.Prefix(b)})
			defer s.Close()
			value := make([]byte, 512)
			var wg sync.WaitGroup
			b.ResetTimer()
			for g := range n {
				wg.Go(func() {
					for i := g; i < b.N; i += n {
						err := s.Update(context.Background(), func(tx store.Tx) error {
							return tx.Put(fmt.Sprintf("job/%08d", i%10000), value)
						})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}
