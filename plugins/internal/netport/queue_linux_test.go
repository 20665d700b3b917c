package netport

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Silent is a printer that was asked and does not answer; one without paper answers
// every probe, for hours.
func TestSilent(t *testing.T) {
	const long, short = 121_000, 119_000 // ms
	tests := []struct {
		what string
		info unix.TCPInfo
		want bool
	}{
		{"data flows", unix.TCPInfo{Last_ack_recv: 10}, false},
		{"idle for hours", unix.TCPInfo{Last_ack_recv: long}, false},
		{"no paper, probes answered", unix.TCPInfo{Last_ack_recv: long, Probes: 1}, false},
		{"no paper, then switched off", unix.TCPInfo{Last_ack_recv: long, Probes: 2}, true},
		{"switched off in the middle", unix.TCPInfo{Last_ack_recv: long, Retransmits: 6}, true},
		{"a short break", unix.TCPInfo{Last_ack_recv: short, Retransmits: 6}, false},
	}
	for _, tt := range tests {
		if got := silent(&tt.info, 2*time.Minute); got != tt.want {
			t.Errorf("%s: %v", tt.what, got)
		}
	}
}

// pair is a connection to a printer that reads when it is told, and can hold little.
func pair(t *testing.T) (near *net.TCPConn, far net.Conn) {
	small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) })
	}}
	l, err := small.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := l.Addr().(*net.TCPAddr)
	near, err = Remote{Host: "127.0.0.1", Port: a.Port, ConnectTimeout: time.Second, KeepAlive: time.Second}.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// The last byte of a document waits in Write, which may be called again, and not in
// EndDoc, which may not.
func TestLastByteWaitsForPaper(t *testing.T) {
	near, far := pair(t)
	doc := make([]byte, longDocument+1)
	s := &Stream{Conn: near, Size: int64(len(doc)), Patience: 20 * time.Millisecond}
	n, err := s.Write(t.Context(), doc)
	if left, _ := Unacknowledged(near); n != len(doc)-1 || err != nil || left == 0 {
		t.Fatalf("%d of %d bytes (%v), %d unacknowledged", n, len(doc), err, left)
	}
	for range 2 {
		if n, err := s.Write(t.Context(), doc[len(doc)-1:]); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the last byte was taken: %d %v", n, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := s.Write(ctx, doc[len(doc)-1:]); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d %v", n, err)
	}
	read := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, far)
		read <- n
	}()
	s.Patience = time.Minute
	if n, err := s.Write(t.Context(), doc[len(doc)-1:]); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	near.CloseWrite()
	if n := <-read; n != s.Size || s.Sent != s.Size {
		t.Errorf("%d of %d bytes arrived", n, s.Size)
	}
}

func TestReservedPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := Remote{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, ConnectTimeout: time.Second}
	conn, err := r.DialReserved(t.Context())
	if os.Getuid() != 0 {
		if err == nil {
			t.Error("a reserved port for everybody")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if from := conn.LocalAddr().(*net.TCPAddr).Port; from < firstReserved || from > lastReserved {
		t.Errorf("from port %d", from)
	}
	second, err := r.DialReserved(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}
