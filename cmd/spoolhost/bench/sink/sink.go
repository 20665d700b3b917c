// Package sink is the printers of a load test: they listen as AppSocket printers do (one
// document for each connection, ended by its end), check every byte, and say what came.
// The load generator imports it; it does not know what was sent.
package sink

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/payload"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Arrival is one connection that has ended, or broken off.
type Arrival struct {
	Sink     int // index of the sink
	Document payload.Document
	Known    bool // the document is known
	Fault    payload.Fault
	Bytes    int64
	// First and Last are when the first byte came, and the one that made the document whole;
	// Last is the end of the connection if none did.
	First, Last time.Time
}

// Options say how sinks behave.
type Options struct {
	// Hung says of a sink by its index that it takes connections and never reads; nil is none.
	Hung func(i int) bool
	// Report is called for each connection that ends, by several goroutines at a time.
	Report func(Arrival)
}

// Set is sinks that listen.
type Set struct {
	options   Options
	listeners []net.Listener
	running   sync.WaitGroup
	buffers   sync.Pool // of *[]byte, for documents of usual size

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

// Listen starts a sink at each address, "HOST:PORT"; port 0 is any.
func Listen(ctx context.Context, addrs []string, options Options) (*Set, error) {
	s := &Set{options: options, open: make(map[net.Conn]struct{})}
	for _, addr := range addrs {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			s.Close()
			var op *net.OpError
			if errors.As(err, &op) {
				err = op.Err
			}
			return nil, spoolerr.As(err, spoolerr.Unavailable, "the sink cannot listen at %s: name another address, or port 0 for any", addr)
		}
		s.listeners = append(s.listeners, l)
	}
	for i, l := range s.listeners {
		s.running.Add(1)
		go s.accept(i, l)
	}
	return s, nil
}

// Loopback gives n addresses of this machine for Listen.
func Loopback(n int) []string {
	return strings.Fields(strings.Repeat("127.0.0.1:0 ", n))
}

// Addr gives where a sink listens.
func (s *Set) Addr(i int) *net.TCPAddr {
	addr, _ := s.listeners[i].Addr().(*net.TCPAddr)
	return addr
}

// Len is the number of sinks.
func (s *Set) Len() int { return len(s.listeners) }

// Close ends all sinks and waits for them. Documents in the middle are broken off.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.running.Wait()
}

func (s *Set) accept(i int, l net.Listener) {
	defer s.running.Done()
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			<-time.After(10 * time.Millisecond) // out of descriptors: others will end
			continue
		}
		if !s.keep(c) {
			return
		}
		go s.serve(i, c)
	}
}

// keep remembers a connection, for Close to end.
func (s *Set) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return false
	}
	s.open[c] = struct{}{}
	s.running.Add(1)
	return true
}

func (s *Set) serve(i int, c net.Conn) {
	defer s.running.Done()
	if s.options.Hung != nil && s.options.Hung(i) {
		return // open and unread until Close
	}
	a := s.take(c)
	a.Sink = i
	s.mu.Lock()
	_ = c.Close()
	delete(s.open, c)
	s.mu.Unlock()
	s.options.Report(a)
}

// take reads a connection to its end. Small documents need a small buffer only, and
// thousands of connections may be open.
func (s *Set) take(c io.Reader) (a Arrival) {
	const small, large = 16 << 10, 512 << 10
	var check payload.Check
	kept, _ := s.buffers.Get().(*[]byte)
	if kept == nil {
		b := make([]byte, small)
		kept = &b
	}
	defer s.buffers.Put(kept)
	buf := *kept
	for {
		n, err := c.Read(buf)
		if n > 0 {
			now := time.Now()
			if a.First.IsZero() {
				a.First = now
			}
			if check.Write(buf[:n]) && a.Last.IsZero() {
				a.Last = now
			}
		}
		if err != nil {
			break
		}
		if check.Bytes() > large && len(buf) == small {
			buf = make([]byte, large)
		}
	}
	if a.Last.IsZero() {
		a.Last = time.Now()
	}
	a.Bytes = check.Bytes()
	a.Document, a.Known, a.Fault = check.End()
	return a
}
