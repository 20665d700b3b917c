package etcd_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/etcd"
	"github.com/spoolhost/spoolhost/host/store/etcd/etcdtest"
)

// TestUnanswered: a commit that etcd does not answer is asked for again, and comes about
// once, whether or not it had already: a leader that dies answers nobody.
func TestUnanswered(t *testing.T) {
	endpoint := etcdtest.Start(t)
	for name, deliver := range map[string]bool{"the question is lost": false, "the answer is lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var losing, lost atomic.Int64
			client := lossy(t, endpoint, deliver, &losing, &lost)
			s := etcd.Open(client, etcd.Options{Prefix: etcdtest.Prefix(t), Writer: "test", Timeout: time.Minute})
			defer func() { _ = s.Close() }()
			count(t, s) // it knows its mark now, so what follows is commits only
			losing.Store(2)
			count(t, s)
			if got := count(t, s); got != 3 || lost.Load() != 2 {
				t.Errorf("%d after three increments, %d messages lost", got, lost.Load())
			}
		})
	}
}

// TestNewLeader: what the former leader was asked is asked again as soon as there is another.
func TestNewLeader(t *testing.T) {
	var losing, lost atomic.Int64
	elected := make(chan struct{})
	s := etcd.Open(lossy(t, etcdtest.Start(t), false, &losing, &lost), etcd.Options{
		Prefix: etcdtest.Prefix(t), Writer: "test", Timeout: time.Minute,
		LeaderChanged: func() <-chan struct{} {
			if lost.Load() == 0 {
				return elected
			}
			return nil
		},
	})
	defer func() { _ = s.Close() }()
	count(t, s)
	losing.Store(1)
	close(elected) // before the time for an answer has passed
	if got := count(t, s); got != 2 {
		t.Errorf("%d after two increments", got)
	}
}

// lossy connects to an endpoint; as many transactions that write as losing says get no answer.
func lossy(t *testing.T, endpoint string, deliver bool, losing, lost *atomic.Int64) *clientv3.Client {
	t.Helper()
	drop := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if !strings.HasSuffix(method, "/Txn") || losing.Add(-1) < 0 {
			return invoke(ctx, method, req, reply, cc, opts...)
		}
		if deliver {
			if err := invoke(ctx, method, req, reply, cc, opts...); err != nil {
				t.Error(err)
			}
		}
		lost.Add(1)
		<-ctx.Done()
		return ctx.Err()
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint}, Logger: zap.NewNop(), DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(drop)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// count adds one to a number in the store and gives it.
func count(t *testing.T, s store.Store) (n int) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Tx) error {
		n = 1
		if was, err := tx.Get("n"); err == nil {
			if n, err = strconv.Atoi(string(was)); err != nil {
				return err
			}
			n++
		}
		return tx.Put("n", strconv.AppendInt(nil, int64(n), 10))
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
