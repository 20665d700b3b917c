package monitortest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Device is the far end of one port: what stands for the printer.
type Device interface {
	// Vars are the placeholders that lead a port to it, such as "sink", without braces.
	Vars() map[string]string
	// Take gives what has come since it was last called.
	Take() ([]byte, error)
	// Stall makes the device take no data, or again; it says whether it can.
	Stall(on bool) bool
	// Close makes the device unreachable. It may be called again.
	Close() error
}

// deviceOfSettings gives the device whose placeholders occur in the settings, or nil.
func (o Options) deviceOfSettings(dir string) (Device, error) {
	text := o.PortName
	for _, v := range o.Settings {
		text += v
	}
	switch {
	case strings.Contains(text, "{{sink"):
		return newSink()
	case strings.Contains(text, "{{file}}"):
		return newFile(dir)
	}
	return nil, nil
}

// sink is a TCP printer: it takes every connection, reads it to its end and closes it.
type sink struct {
	listener net.Listener
	readers  sync.WaitGroup

	mu    sync.Mutex
	got   []byte
	conns map[net.Conn]struct{}
	flow  chan struct{} // closed while data is taken
	ended chan struct{}
	once  sync.Once
}

func newSink() (*sink, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{listener: l, conns: make(map[net.Conn]struct{}), flow: make(chan struct{}), ended: make(chan struct{})}
	close(s.flow)
	s.readers.Go(s.accept)
	return s, nil
}

func (s *sink) Vars() map[string]string { return addressVars(s.listener.Addr().String()) }

func addressVars(address string) map[string]string {
	host, port, _ := net.SplitHostPort(address)
	return map[string]string{"sink": address, "sink.host": host, "sink.port": port}
}

func (s *sink) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(64 << 10) // so that a stall is felt soon
		}
		s.mu.Lock()
		s.conns[conn] = struct{}{}
		s.mu.Unlock()
		s.readers.Go(func() { s.read(conn) })
	}
}

func (s *sink) read(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, conn)
	}()
	buf := make([]byte, 64<<10)
	for {
		s.mu.Lock()
		flow := s.flow
		s.mu.Unlock()
		select {
		case <-flow:
		case <-s.ended:
			return
		}
		n, err := conn.Read(buf)
		s.mu.Lock()
		s.got = append(s.got, buf[:n]...)
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *sink) Take() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got, nil
}

func (s *sink) Stall(on bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.flow:
		if on {
			s.flow = make(chan struct{})
		}
	default:
		if !on {
			close(s.flow)
		}
	}
	return true
}

func (s *sink) Close() error {
	s.once.Do(func() { close(s.ended) })
	err := s.listener.Close()
	s.mu.Lock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.readers.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// file is a device that is a path.
type file struct{ path string }

func newFile(dir string) (*file, error) {
	parent, err := os.MkdirTemp(dir, "device")
	return &file{filepath.Join(parent, "out")}, err
}

func (f *file) Vars() map[string]string { return map[string]string{"file": f.path} }

// Take removes the file: a document that is printed later makes it anew.
func (f *file) Take() ([]byte, error) {
	in, err := os.Open(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	data, err := io.ReadAll(in)
	if len(data) == 0 {
		return nil, err
	}
	return data, errors.Join(err, os.Remove(f.path))
}

func (f *file) Stall(bool) bool { return false }

func (f *file) Close() error { return os.RemoveAll(filepath.Dir(f.path)) }
