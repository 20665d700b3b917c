// Package etcdtest runs an etcd inside a test.
//
// Tests import it; nothing else does.
package etcdtest

import (
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// OutsideEnv is, if it is set, the endpoint of an etcd to use instead of an embedded one.
const OutsideEnv = "SPOOLHOST_TEST_ETCD"

// Start runs a cluster of one member until the test ends, and gives its endpoint.
func Start(t testing.TB) string {
	t.Helper()
	if outside := os.Getenv(OutsideEnv); outside != "" {
		return outside
	}
	_, endpoint := Member(t, t.TempDir())
	return endpoint
}

// Member runs one member on a directory, which may be that of one which was stopped, until
// stop is called or the test ends.
func Member(t testing.TB, dir string) (stop func(), endpoint string) {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir, cfg.Name = dir, "test"
	loopback := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg.ListenPeerUrls, cfg.ListenClientUrls = []url.URL{loopback}, []url.URL{loopback}
	cfg.AdvertisePeerUrls, cfg.AdvertiseClientUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:1"}}, []url.URL{{Scheme: "http", Host: "127.0.0.1:2"}}
	cfg.InitialCluster = "test=http://127.0.0.1:1"
	cfg.TickMs, cfg.ElectionMs = 10, 100
	cfg.UnsafeNoFsync = true
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatalf("embedded etcd: %v", err)
	}
	stop = sync.OnceFunc(e.Close)
	t.Cleanup(stop)
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(time.Minute):
		t.Fatal("the embedded etcd has not started")
	}
	return stop, e.Clients[0].Addr().String()
}

// Client connects to an endpoint until the test ends.
func Client(t testing.TB, endpoint string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint}, DialTimeout: 10 * time.Second, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatalf("etcd client: %v", err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Prefix gives a prefix that no other test uses.
func Prefix(t testing.TB) string {
	return "/test/" + t.Name() + "/" + strconv.FormatInt(time.Now().UnixNano(), 36) + "/"
}
