package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a responder in memory: the names it has, and those that others have.
type network struct {
	mu       sync.Mutex
	down     bool
	opened   int
	others   map[string]bool
	groups   map[string]*entry
	goodbyes int
	current  *link
}

type entry struct {
	net *network
	id  string
	p   Printer
}

type link struct {
	net     *network
	changes chan Change
	closed  bool
}

func newNetwork(others ...string) *network {
	n := &network{others: map[string]bool{}, groups: map[string]*entry{}}
	for _, o := range others {
		n.others[o] = true
	}
	return n
}

func (n *network) Open(context.Context) (Session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, errors.New("nobody answers")
	}
	n.opened++
	n.current = &link{net: n, changes: make(chan Change, 8)}
	return n.current, nil
}

func (l *link) Host() string           { return "print1.local" }
func (l *link) Changes() <-chan Change { return l.changes }
func (l *link) Close()                 { l.closed = true }

func (l *link) Alternative(_ context.Context, name string) (string, error) {
	base, number, has := strings.Cut(name, " #")
	next := 2
	if has {
		_, _ = fmt.Sscan(number, &next)
		next++
	}
	return fmt.Sprintf("%s #%d", base, next), nil
}

func (l *link) Publish(_ context.Context, p Printer, at []Place) (Group, error) {
	n := l.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.others[p.Name] || n.groups[p.Name] != nil {
		return nil, ErrTaken
	}
	if len(at) == 0 {
		return nil, errors.New("nowhere")
	}
	e := &entry{net: n, id: "/group/" + p.Name, p: p}
	n.groups[p.Name] = e
	return e, nil
}

func (e *entry) ID() string { return e.id }

func (e *entry) SetText(_ context.Context, text []string) error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	e.p.Text = text
	return nil
}

func (e *entry) Withdraw(context.Context) error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.net.groups[e.p.Name] == e {
		delete(e.net.groups, e.p.Name)
		e.net.goodbyes++
	}
	return nil
}

// names gives what is announced, as "NAME text".
func (n *network) names() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	for name, e := range n.groups {
		list = append(list, name+" "+strings.Join(e.p.Text, ","))
	}
	slices.Sort(list)
	return list
}

// printers is what there is.
type printers struct {
	mu   sync.Mutex
	list []Printer
}

func (p *printers) set(list ...Printer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = list
}

func (p *printers) all(string) []Printer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}

// run announces in the background until the test or stop ends it.
func run(t *testing.T, n *network, p *printers) (a *Announcer, troubles chan error, stop func()) {
	troubles = make(chan error, 8)
	a = New(Config{
		Responder: n, Places: []Place{{Port: 8631}}, Printers: p.all, Logger: hclog.NewNullLogger(),
		Trouble: func(err error) { troubles <- err },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Run(ctx)
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return a, troubles, stop
}

func (n *network) await(t *testing.T, want ...string) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		got := n.names()
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("announced %q, want %q", got, want)
		}
	}
}

func one(key, name string, text ...string) Printer { return Printer{Key: key, Name: name, Text: text} }

func TestPrintersAreFollowed(t *testing.T) {
	n, p := newNetwork(), &printers{}
	p.set(one("a", "A", "1"), one("b", "B", "1"))
	a, _, stop := run(t, n, p)
	n.await(t, "A 1", "B 1")
	p.set(one("a", "A", "2"), one("c", "C", "1")) // changed, gone, come
	a.Changed()
	n.await(t, "A 2", "C 1")
	if n.mu.Lock(); n.goodbyes != 1 {
		t.Errorf("%d goodbyes; a new text needs none", n.goodbyes)
	}
	n.mu.Unlock()
	changed := one("a", "A", "2")
	changed.Subtypes = []string{"_universal"}
	p.set(changed)
	a.Changed()
	n.await(t, "A 2")
	stop()
	n.await(t)
	if !n.current.closed || n.opened != 1 {
		t.Errorf("closed %v, opened %d times", n.current.closed, n.opened)
	}
}

func TestNamesAreMadeUnique(t *testing.T) {
	n, p := newNetwork("A", "A #2"), &printers{}
	p.set(one("x/a", "A"), one("y/a", "A"), one("b", "B", "1"))
	a, _, _ := run(t, n, p)
	n.await(t, "A #3 ", "A #4 ", "B 1")
	p.set(one("x/a", "A", "new"), one("y/a", "A"), one("b", "B", "1"))
	a.Changed()
	n.await(t, "A #3 new", "A #4 ", "B 1") // a name once found is kept
	n.mu.Lock()
	n.others["B"] = true // another machine comes to the network
	n.current.changes <- Change{Group: "/group/B", Taken: true}
	n.mu.Unlock()
	n.await(t, "A #3 new", "A #4 ", "B #2 1")
}

func TestResponderStartsAnew(t *testing.T) {
	n, p := newNetwork(), &printers{}
	p.set(one("a", "A"))
	run(t, n, p)
	n.await(t, "A ")
	n.mu.Lock()
	n.groups = map[string]*entry{}
	close(n.current.changes)
	n.mu.Unlock()
	n.await(t, "A ")
}

func TestResponderIsMissed(t *testing.T) {
	n := newNetwork()
	n.down = true
	_, troubles, stop := run(t, n, &printers{})
	if err := <-troubles; err.Error() != "nobody answers" {
		t.Error(err)
	}
	stop() // at once, while it waits
}

func TestAnnouncementsAreBounded(t *testing.T) {
	n, p := newNetwork(), &printers{}
	var list []Printer
	for i := range most + 5 {
		list = append(list, one(fmt.Sprint(i), fmt.Sprint("P", i)))
	}
	p.set(list...)
	_, _, stop := run(t, n, p)
	end := time.Now().Add(time.Minute)
	for tick := time.NewTicker(time.Millisecond); len(n.names()) < most && time.Now().Before(end); <-tick.C {
	}
	stop()
	if n.goodbyes != most {
		t.Errorf("%d printers were announced, want %d", n.goodbyes, most)
	}
}

func TestPlaces(t *testing.T) {
	interfaces := []net.Interface{{Index: 1, Name: "lo"}, {Index: 2, Name: "eth0"}, {Index: 3, Name: "eth1"}}
	own := map[int][]string{1: {"127.0.0.1/8"}, 2: {"10.0.0.5/24", "fe80::1/64"}, 3: {"192.168.1.9/16"}}
	addrsOf := func(i net.Interface) (addrs []net.Addr, err error) {
		for _, a := range own[i.Index] {
			ip, prefix, err := net.ParseCIDR(a)
			if err != nil {
				t.Fatal(err)
			}
			addrs = append(addrs, &net.IPNet{IP: ip, Mask: prefix.Mask})
		}
		return addrs, nil
	}
	for _, c := range []struct {
		listen string
		want   []Place
	}{
		{"127.0.0.1:8631 [::1]:8631", nil},
		{"127.0.0.1:8631 10.0.0.5:631", []Place{{Interface: 2, Port: 631}}},
		{"10.0.0.5:631 10.0.0.5:8631 192.168.1.9:8631", []Place{{Interface: 2, Port: 631}, {Interface: 3, Port: 8631}}},
		{"10.0.0.5:631 0.0.0.0:8631", []Place{{Family: 4, Port: 8631}}},
		{"[::]:8631", []Place{{Port: 8631}}},
		{"[fe80::1%eth0]:8631", []Place{{Interface: 2, Port: 8631}}},
		{"172.16.0.1:8631", nil},
	} {
		var listeners []net.Addr
		for text := range strings.FieldsSeq(c.listen) {
			addr, err := net.ResolveTCPAddr("tcp", text)
			if err != nil {
				t.Fatal(err)
			}
			listeners = append(listeners, addr)
		}
		if got := Places(listeners, interfaces, addrsOf); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.listen, got, c.want)
		}
	}
}
