package sink

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/payload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// send writes bytes to a sink over a connection of their own, and ends it.
func send(t *testing.T, s *Set, i int, r io.Reader) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr(i).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.Copy(c, r); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	return c
}

func receive(t *testing.T, c <-chan Arrival) Arrival {
	t.Helper()
	select {
	case a := <-c:
		return a
	case <-time.After(patience):
		t.Fatal("nothing arrived")
		return Arrival{}
	}
}

func TestArrivals(t *testing.T) {
	came := make(chan Arrival, 1)
	s, err := Listen(t.Context(), Loopback(3), Options{Report: func(a Arrival) { came <- a }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	source := payload.NewSource()
	for _, size := range []int64{payload.MinSize, 10_000, 5 << 20} {
		doc := payload.Document{Run: 1, ID: 5, Queue: 2, Size: size}
		c := send(t, s, 2, source.Reader(doc))
		a := receive(t, came)
		if a.Document != doc || a.Fault != payload.Good || a.Sink != 2 || a.Bytes != size || a.Last.Before(a.First) {
			t.Errorf("%+v", a)
		}
		// A printer closes its side too when it has everything: the backend waits for that.
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("the sink did not close: %d %v", n, err)
		}
	}
	doc := payload.Document{Run: 1, ID: 6, Size: 10_000}
	send(t, s, 0, io.LimitReader(source.Reader(doc), 9_999))
	if a := receive(t, came); a.Fault != payload.BrokenOff || a.Document != doc {
		t.Errorf("%+v", a)
	}
	send(t, s, 1, strings.NewReader(strings.Repeat("x", 100)))
	if a := receive(t, came); a.Fault != payload.Foreign || a.Known {
		t.Errorf("%+v", a)
	}
}

func TestHungSinkReadsNothingAndCloses(t *testing.T) {
	s, err := Listen(t.Context(), Loopback(1), Options{
		Hung:   func(int) bool { return true },
		Report: func(a Arrival) { t.Errorf("a hung sink has read %+v", a) },
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Addr(0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	// What the buffers of the kernel take is not read by anybody: writing must come to a stop.
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := c.Write(make([]byte, 64<<20)); err == nil {
		t.Error("64 MiB went into a sink that does not read")
	}
	s.Close()
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	s, err := Listen(t.Context(), Loopback(1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = Listen(t.Context(), []string{s.Addr(0).String()}, Options{})
	if err == nil || !strings.Contains(err.Error(), s.Addr(0).String()) || !strings.Contains(err.Error(), "port 0") {
		t.Errorf("%v", err)
	}
}
