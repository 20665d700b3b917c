package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == GuardArg {
		_ = ServeGuard(os.Stdin)
		os.Exit(0)
	}
	hosttest.ServeMonitor()
	unraced.Main(m)
}

// testTTL is short, so that a death is noticed soon.
const testTTL = 2 * time.Second

// world is a store that nodes share, with leases as etcd has them.
type world struct {
	*testing.T
	store store.Store

	mu     sync.Mutex
	leases map[int64]*testLease
	last   int64
	// endless leases do not run out by themselves, as after a change of etcd's leader.
	endless atomic.Bool
	// open are the instances that print just now, by spooler: never two.
	open  map[string]string
	nodes []*testNode // all that have joined
	// ahead is what was got ready; each is used or discarded, once.
	ahead []*fakeAhead
}

// fakeAhead is a spooler that a node has got ready.
type fakeAhead struct {
	w               *world
	entry           string
	used, discarded int
}

func (n *testNode) prepare(_ context.Context, s Spooler) (Ahead, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	a := &fakeAhead{w: n.w, entry: n.cfg.Name + " " + s.Name}
	n.w.ahead = append(n.w.ahead, a)
	return a, nil
}

func (a *fakeAhead) Discard() {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.discarded++
}

func (a *fakeAhead) use() {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.used++
}

// gotReady counts what was got ready, and how much of that was used and discarded.
func (w *world) gotReady() (made, used, discarded int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.ahead {
		made, used, discarded = made+1, used+a.used, discarded+a.discarded
	}
	return made, used, discarded
}

type testLease struct {
	ttl   time.Duration
	timer *time.Timer
	keys  []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, store: db, leases: map[int64]*testLease{}, open: map[string]string{}}
	t.Cleanup(func() { // after the nodes have ended
		_ = db.Close()
		for _, a := range w.ahead {
			if a.used+a.discarded != 1 {
				t.Errorf("%s was got ready, used %d times and discarded %d times", a.entry, a.used, a.discarded)
			}
		}
	})
	return w
}

// leasesOf is the lease service as one node reaches it, unless it is cut off.
type leasesOf struct {
	*world
	cut func() bool
}

var errCutOff = errors.New("no route to the cluster")

func (w leasesOf) Grant(_ context.Context, ttl time.Duration) (int64, error) {
	if w.cut() {
		return 0, errCutOff
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	id := w.last
	w.leases[id] = &testLease{ttl: ttl, timer: time.AfterFunc(ttl, func() {
		if !w.endless.Load() {
			w.end(id)
		}
	})}
	return id, nil
}

func (w leasesOf) Attach(ctx context.Context, lease int64, key string, value []byte) error {
	if w.cut() {
		return errCutOff
	}
	w.mu.Lock()
	l := w.leases[lease]
	if l != nil {
		l.keys = append(l.keys, key)
	}
	w.mu.Unlock()
	if l == nil {
		return spoolerr.New(spoolerr.NotFound, 0, "no lease %d", lease)
	}
	return w.store.Update(ctx, func(tx store.Tx) error { return tx.Put(key, value) })
}

func (w leasesOf) Beat(ctx context.Context, lease int64, key string, value []byte) error {
	if w.cut() {
		return errCutOff
	}
	return w.store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Get(key); err != nil {
			return err
		}
		return tx.Put(key, value)
	})
}

func (w leasesOf) Renew(_ context.Context, lease int64) error {
	if w.cut() {
		return errCutOff
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.leases[lease]
	if l == nil || !l.timer.Reset(l.ttl) && !w.endless.Load() {
		return spoolerr.New(spoolerr.NotFound, 0, "no lease %d", lease)
	}
	return nil
}

func (w leasesOf) Revoke(_ context.Context, lease int64) error {
	if w.cut() {
		return errCutOff
	}
	w.end(lease)
	return nil
}

// end deletes a lease and what hangs on it.
func (w *world) end(lease int64) {
	w.mu.Lock()
	l := w.leases[lease]
	delete(w.leases, lease)
	w.mu.Unlock()
	if l == nil {
		return
	}
	l.timer.Stop()
	_ = w.store.Update(context.Background(), func(tx store.Tx) error {
		for _, key := range l.keys {
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// testNode is a node whose spoolers are no more than a note of who has them open.
type testNode struct {
	*Node
	w        *world
	stop     func()
	mu       sync.Mutex
	off      bool
	monitors map[string]string
	failing  error // of Open
	killed   []string
}

func (n *testNode) cutOff(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.off = on
}

func (n *testNode) isOff() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.off
}

func (w *world) join(name string) *testNode {
	w.Helper()
	events, err := eventlog.Open(filepath.Join(w.TempDir(), "events"), eventlog.Options{})
	if err != nil {
		w.Fatal(err)
	}
	n := &testNode{w: w, monitors: map[string]string{"Acme": "sha256:aaaa"}}
	n.Node, err = New(Config{
		Name: name, Address: name + ":1", Store: w.store, Leases: leasesOf{w, n.isOff}, TTL: testTTL, Open: n.open, Prepare: n.prepare,
		Wipe: func(ctx context.Context, o Ownership) error {
			return o.DeleteBelow(ctx, "data/"+spool.Fold(o.Spooler.Name)+"/")
		},
		Monitors: func() map[string]string { n.mu.Lock(); defer n.mu.Unlock(); return n.monitors }, Events: events, Logger: hclog.NewNullLogger(), Now: time.Now,
	})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Run(ctx); err != nil {
			w.Error(err)
		}
	}()
	n.stop = func() {
		cancel()
		<-done
		_ = events.Close()
	}
	w.Cleanup(n.stop)
	w.nodes = append(w.nodes, n)
	return n
}

// met waits until all nodes know one another: who places a spooler knows where it can be.
func (w *world) met() {
	w.Helper()
	w.until("the nodes know one another", func() bool {
		for _, n := range w.nodes {
			if v, _ := n.View(); len(v.Members) != len(w.nodes) || n.tenancy.current() == "" {
				return false
			}
		}
		return true
	})
}

// fakeInstance prints while it is in the world's book.
type fakeInstance struct {
	node  *testNode
	own   Ownership
	dead  chan struct{}
	once  sync.Once
	mu    sync.Mutex
	susp  bool
	entry string
}

func (n *testNode) open(ctx context.Context, o Ownership) (Instance, error) {
	if a, ok := o.Ahead.(*fakeAhead); ok {
		a.use()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failing != nil {
		return nil, n.failing
	}
	err := o.Store.Update(ctx, func(tx store.Tx) error {
		return tx.Put("data/"+spool.Fold(o.Spooler.Name)+"/last", []byte(n.cfg.Name))
	})
	return &fakeInstance{node: n, own: o, dead: make(chan struct{}), entry: fmt.Sprintf("%s@%d", n.cfg.Name, o.Epoch)}, err
}

func (i *fakeInstance) Run(ctx context.Context) error {
	w := i.node.w
	w.mu.Lock()
	if other := w.open[i.own.Spooler.Name]; other != "" {
		w.Errorf("%s and %s have spooler %s open at once", other, i.entry, i.own.Spooler.Name)
	}
	w.open[i.own.Spooler.Name] = i.entry
	w.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-i.dead:
	}
	i.Kill("")
	return nil
}

func (i *fakeInstance) Kill(reason string) {
	w := i.node.w
	w.mu.Lock()
	if w.open[i.own.Spooler.Name] == i.entry {
		delete(w.open, i.own.Spooler.Name)
	}
	w.mu.Unlock()
	i.once.Do(func() { close(i.dead) })
	if reason != "" {
		i.node.mu.Lock()
		defer i.node.mu.Unlock()
		i.node.killed = append(i.node.killed, i.entry)
	}
}

func (i *fakeInstance) Suspend(on bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.susp = on
}

func (i *fakeInstance) Report() Report {
	return Report{State: "online", Printers: 1, Needs: map[string]string{"Acme": "sha256:aaaa"}, Uses: map[string]int{"Acme": 1}}
}
func (i *fakeInstance) Waits() string { return "" }

func (i *fakeInstance) WaitStarted(context.Context) {}
func (i *fakeInstance) Close() error                { return nil }

func (w *world) until(what string, is func() bool) {
	w.Helper()
	if !poll.OK(is) {
		w.Fatalf("never: %s; open: %v", what, w.openNow())
	}
}

func (w *world) openNow() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for name, who := range w.open {
		list = append(list, name+"="+who)
	}
	slices.Sort(list)
	return list
}

// at says which node has a spooler open; empty for none.
func (w *world) at(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var node string
	var epoch int
	_, _ = fmt.Sscanf(replaceAt(w.open[name]), "%s %d", &node, &epoch)
	return node
}

func replaceAt(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] == '@' {
			b[i] = ' '
		}
	}
	return string(b)
}
