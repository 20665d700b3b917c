package ipp

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/host/frontend/access"
)

// conn is a client's connection. It knows when it was last heard of.
type conn struct {
	net.Conn
	tracker *tracker
	place   *list.Element
	head    []byte // what was read to tell TLS from plain text
	last    atomic.Int64
	busy    atomic.Bool // it has a request whose attributes are read
	sorted  atomic.Bool // the server has it

	identify sync.Once
	caller   access.Caller
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.last.Store(c.tracker.now().UnixNano())
	}
	return n, err
}

func (c *conn) Close() error {
	c.tracker.remove(c)
	return c.Conn.Close()
}

// who asks the kernel, once, who is at the other end.
func (c *conn) who(i access.Identifier) access.Caller {
	c.identify.Do(func() { c.caller = i.Identify(c.Conn) })
	return c.caller
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// tracker bounds the open connections: when there are too many, one that costs room and
// says nothing goes. A client who prints is so never kept out by those who only connect.
type tracker struct {
	most int
	now  func() time.Time

	mu     sync.Mutex
	open   *list.List // of *conn, in order of their coming
	closed bool
}

func newTracker(most int, now func() time.Time) *tracker {
	return &tracker{most: most, now: now, open: list.New()}
}

// add takes a connection in; nil if there is no room even so.
func (t *tracker) add(c net.Conn) *conn {
	next := &conn{Conn: c, tracker: t}
	next.last.Store(t.now().UnixNano())
	t.mu.Lock()
	victim := t.victim()
	if t.closed || t.open.Len() >= t.most && victim == nil {
		t.mu.Unlock()
		_ = c.Close()
		return nil
	}
	if victim != nil {
		t.open.Remove(victim.place)
		victim.place = nil
	}
	next.place = t.open.PushBack(next)
	t.mu.Unlock()
	if victim != nil {
		_ = victim.Conn.Close()
	}
	return next
}

// victim gives the connection that makes room for another, nil if none is needed or found:
// the oldest that has no request, else that whose document has been silent longest.
func (t *tracker) victim() *conn {
	if t.open.Len() < t.most {
		return nil
	}
	const patience = 10 * time.Second
	var silent *conn
	for e := t.open.Front(); e != nil; e = e.Next() {
		c, _ := e.Value.(*conn)
		if !c.busy.Load() {
			return c
		}
		if silent == nil || c.last.Load() < silent.last.Load() {
			silent = c
		}
	}
	if silent != nil && t.now().UnixNano()-silent.last.Load() < int64(patience) {
		return nil
	}
	return silent
}

func (t *tracker) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.place != nil {
		t.open.Remove(c.place)
		c.place = nil
	}
}

// closeUnsorted closes the connections that no server has yet.
func (t *tracker) closeUnsorted() { t.close(func(c *conn) bool { return !c.sorted.Load() }) }

// closeAll closes every connection and takes no more.
func (t *tracker) closeAll() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.close(func(*conn) bool { return true })
}

func (t *tracker) close(which func(*conn) bool) {
	t.mu.Lock()
	var all []*conn
	for e := t.open.Front(); e != nil; e = e.Next() {
		if c, _ := e.Value.(*conn); which(c) {
			all = append(all, c)
		}
	}
	t.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// listener gives a server its connections once their first byte has told whether they
// speak TLS, so that ipp: and ipps: share an address.
type listener struct {
	net.Listener
	tracker *tracker
	tls     *tls.Config
	patient time.Duration
	sorted  chan net.Conn
	failed  chan error
	ended   chan struct{}
	once    sync.Once
	workers sync.WaitGroup
}

func newListener(inner net.Listener, t *tracker, cfg *tls.Config, patient time.Duration) *listener {
	l := &listener{
		Listener: inner, tracker: t, tls: cfg, patient: patient,
		sorted: make(chan net.Conn), failed: make(chan error, 1), ended: make(chan struct{}),
	}
	l.workers.Add(1)
	go l.run()
	return l
}

func (l *listener) run() {
	defer l.workers.Done()
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) { // room comes by itself
				select {
				case <-time.After(20 * time.Millisecond):
					continue
				case <-l.ended:
				}
			}
			l.failed <- err
			return
		}
		if next := l.tracker.add(c); next != nil {
			l.workers.Add(1)
			go l.sort(next)
		}
	}
}

// sort waits for the first byte.
func (l *listener) sort(c *conn) {
	defer l.workers.Done()
	_ = c.SetReadDeadline(time.Now().Add(l.patient))
	var head [1]byte
	if _, err := c.Read(head[:]); err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	c.head = head[:]
	c.sorted.Store(true)
	var ready net.Conn = c
	const handshake = 0x16
	if head[0] == handshake {
		if l.tls == nil {
			_ = c.Close()
			return
		}
		ready = tls.Server(c, l.tls)
	}
	select {
	case l.sorted <- ready:
	case <-l.ended:
		_ = c.Close()
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.sorted:
		return c, nil
	case err := <-l.failed:
		return nil, err
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.ended)
		err = l.Listener.Close()
	})
	return err
}

// wait waits for everything that newListener started.
func (l *listener) wait() {
	_ = l.Close()
	l.tracker.closeUnsorted()
	l.workers.Wait()
}
