//go:build unix

package host

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/store/etcd"
	"github.com/spoolhost/spoolhost/host/store/etcd/etcdtest"
	sdkregistry "github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// TestReadyAndChanged: what a node has got ready is used if the owner before has changed
// nothing since, and else all is read anew; before it is the owner it writes nothing.
func TestReadyAndChanged(t *testing.T) {
	t.Parallel()
	endpoint, prefix := etcdtest.Start(t), etcdtest.Prefix(t)
	open := func(writer string) *etcd.Store {
		s := etcd.Open(etcdtest.Client(t, endpoint), etcd.Options{Prefix: prefix, Writer: writer})
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	ours, theirs := open("n1"), open("n2")
	dir, err := os.MkdirTemp("/tmp", "rdy") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := DefaultConfig()
	cfg.Data, cfg.Listen = filepath.Join(dir, "data"), []string{"unix:" + filepath.Join(dir, "s")}
	cfg.Membership = &Membership{
		Node: "n1", Address: "n1", Store: ours, Leases: ours.Leases(), TTL: time.Minute, Shared: filepath.Join(dir, "shared"),
		Dial: func(cluster.Member) (grpc.ClientConnInterface, error) {
			return nil, spoolerr.New(spoolerr.Unavailable, 0, "nobody")
		},
		FromNode: func(context.Context) bool { return true },
	}
	h, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	const name = "NTPRINT"
	before := registry.New(theirs, registry.Options{}).Hive(name) // the owner before
	change := func(port string) {
		t.Helper()
		key := `Printers\Office`
		if _, err := before.CreateKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if err := before.SetValues(t.Context(), key, sdkregistry.Strings("Ports", port)); err != nil {
			t.Fatal(err)
		}
	}
	change("A")
	for _, changes := range []bool{false, true} {
		// This node knows of what was written so far: else it could only be careful, and read all anew.
		if err := ours.View(t.Context(), func(store.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		ahead, err := h.cluster.prepare(t.Context(), cluster.Spooler{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		ready, _ := ahead.(*ownedSpooler)
		if err := ready.Hive().SetValues(t.Context(), "Printers", sdkregistry.String("x", "y")); spoolerr.KindOf(err) != spoolerr.Unavailable {
			t.Errorf("a node that is not the owner writes: %v", err)
		}
		want := "A"
		if changes {
			want = "B"
			change(want)
		}
		if err := ours.Update(t.Context(), func(tx store.Tx) error { return tx.Put("claim", []byte(want)) }); err != nil {
			t.Fatal(err)
		}
		opened, err := h.cluster.open(t.Context(), cluster.Ownership{Spooler: cluster.Spooler{Name: name}, Epoch: 1, Store: ours, Ahead: ahead})
		if err != nil {
			t.Fatal(err)
		}
		o, _ := opened.(*ownedSpooler)
		if (o == ready) == changes {
			t.Errorf("changed: %v, and what was got ready is used: %v", changes, o == ready)
		}
		p, err := o.Printer("Office")
		if err != nil || len(p.Ports) != 1 || p.Ports[0] != want {
			t.Errorf("changed: %v; %+v, %v", changes, p, err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		h.cluster.work.Wait()
	}
}
