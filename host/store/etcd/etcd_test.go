package etcd_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/etcd"
	"github.com/spoolhost/spoolhost/host/store/etcd/etcdtest"
	"github.com/spoolhost/spoolhost/host/store/storetest"
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
