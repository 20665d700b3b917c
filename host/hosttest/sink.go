// Package hosttest is what tests and demonstrations of a host need around it: a device to
// print to. Tests of every layer, and the demo of the command line, import it.
package hosttest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"sync"
	"time"
)

// Sink is an AppSocket printer: it takes connections, reads each to its end, and
// remembers what came.
type Sink struct {
	listener net.Listener
	gate     func(conn int, received int64) // may block, to hold a document back
	readers  sync.WaitGroup

	mu      sync.Mutex
	receipt []*Receipt
	changed chan struct{}
	open    map[net.Conn]struct{}
	closed  bool
}

// Receipt is one connection.
type Receipt struct {
	Began, Ended time.Time // Ended is zero while it is open
	Bytes        int64
	SHA256       string // in hex, once ended
	// First is the beginning of what came, at most 64 bytes.
	First []byte
	// Err is how it ended, nil for an orderly end of file.
	Err error
}

// NewSink listens on a free loopback port. gate, if not nil, is called before each read.
func NewSink(gate func(conn int, received int64)) (*Sink, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{listener: l, gate: gate, changed: make(chan struct{}), open: make(map[net.Conn]struct{})}
	s.readers.Add(1)
	go s.accept()
	return s, nil
}

// Port is the TCP port it listens on.
func (s *Sink) Port() int {
	addr, _ := s.listener.Addr().(*net.TCPAddr)
	return addr.Port
}

func (s *Sink) accept() {
	defer s.readers.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = conn.Close()
			return
		}
		r := &Receipt{Began: time.Now()}
		n := len(s.receipt)
		s.receipt = append(s.receipt, r)
		s.open[conn] = struct{}{}
		s.readers.Add(1)
		s.mu.Unlock()
		go s.read(n, conn, r)
	}
}

func (s *Sink) read(n int, conn net.Conn, r *Receipt) {
	defer s.readers.Done()
	sum := sha256.New()
	buf := make([]byte, 64<<10)
	var total int64
	for {
		if s.gate != nil {
			s.gate(n, total)
		}
		k, err := conn.Read(buf)
		_, _ = sum.Write(buf[:k])
		total += int64(k)
		s.update(func() {
			r.Bytes = total
			if len(r.First) < 64 {
				r.First = append(r.First, buf[:min(k, 64-len(r.First))]...)
			}
			if err != nil {
				r.Ended, r.SHA256 = time.Now(), hex.EncodeToString(sum.Sum(nil))
				if err != io.EOF { //nolint:errorlint // a net.Conn returns it bare
					r.Err = err
				}
				delete(s.open, conn)
			}
		})
		if err != nil {
			_ = conn.Close()
			return
		}
	}
}

func (s *Sink) update(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Receipts gives a copy of all connections so far, in order of their beginning.
func (s *Sink) Receipts() []Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies()
}

func (s *Sink) copies() []Receipt {
	list := make([]Receipt, 0, len(s.receipt))
	for _, r := range s.receipt {
		list = append(list, *r)
	}
	return list
}

// Wait waits until what came satisfies ok, or ctx ends.
func (s *Sink) Wait(ctx context.Context, ok func([]Receipt) bool) error {
	for {
		s.mu.Lock()
		list, changed := s.copies(), s.changed
		s.mu.Unlock()
		if ok(list) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close ends the sink and its connections. gate must let go of what it holds.
func (s *Sink) Close() {
	s.mu.Lock()
	s.closed = true
	for conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	_ = s.listener.Close()
	s.readers.Wait()
}
