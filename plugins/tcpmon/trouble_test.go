package tcpmon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// paperOut is a printer that takes nothing until paper comes.
func paperOut(t *testing.T) (dev *device, paper chan struct{}) {
	paper = make(chan struct{})
	dev = newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
		<-paper
		io.Copy(io.Discard, c)
	})
	t.Cleanup(sync.OnceFunc(func() {
		select {
		case <-paper:
		default:
			close(paper)
		}
	}))
	return dev, paper
}

// fill writes until the printer takes no more.
func fill(t *testing.T, p *port) (sent int) {
	t.Helper()
	chunk := make([]byte, spool.ChunkSize)
	for {
		n, err := p.Write(t.Context(), chunk)
		sent += n
		if err != nil {
			montest.WantError(t, err, spoolerr.NotReady, spoolerr.CodeNotReady, `"lp1"`, "127.0.0.1:", "paper")
			return sent
		}
	}
}

func TestSlowIsNotHung(t *testing.T) {
	b := newBench(t)
	dev, paper := paperOut(t)
	p := b.open("lp1", dev.settings("writeTimeout", "20ms"))
	b.start(p, 1)
	// The kernel's buffers must not be taken for the printer.
	if sent := fill(t, p); sent > 8<<20 {
		t.Errorf("%d bytes count as sent to a printer without paper", sent)
	}
	for range 2 {
		if n, err := p.Write(t.Context(), make([]byte, 10)); n != 0 || !errors.Is(err, spoolerr.NotReady) {
			t.Fatalf("n=%d %v", n, err)
		}
	}
	reports := b.host.Ports()
	if len(reports) != 2 || reports[1].Port != "lp1" || reports[1].Status.Severity != spool.SeverityWarning ||
		!strings.Contains(reports[1].Status.Text, "does not take data") {
		t.Fatalf("reports %v", reports)
	}
	close(paper)
	for {
		n, err := p.Write(t.Context(), make([]byte, 100<<10))
		if n > 0 {
			break
		}
		if !errors.Is(err, spoolerr.NotReady) {
			t.Fatal(err)
		}
	}
	if reports := b.host.Ports(); len(reports) != 3 || !reports[2].Status.Clear() {
		t.Errorf("reports %v", reports)
	}
	if err := p.EndDoc(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

// patient makes the document in p wait for as long as its context allows.
func patient(p *port) {
	job, _ := p.Slot.Current()
	job.Target.(*link).Patience = time.Hour
}

func TestWriteReturnsBeforeItsDeadline(t *testing.T) {
	b := newBench(t)
	dev, _ := paperOut(t)
	p := b.open("lp1", dev.settings("writeTimeout", "20ms"))
	b.start(p, 1)
	fill(t, p)
	patient(p)
	var n int
	err := montest.InTime(t, func(ctx context.Context) (err error) {
		n, err = p.Write(ctx, make([]byte, 10))
		return err
	})
	if n != 0 || !errors.Is(err, spoolerr.NotReady) {
		t.Errorf("n=%d %v", n, err)
	}
}

func TestCancelledWriteGivesItsCount(t *testing.T) {
	b := newBench(t)
	took := make(chan struct{})
	dev := newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
		io.CopyN(io.Discard, c, 1)
		close(took)
		<-t.Context().Done()
	})
	p := b.open("lp1", dev.settings("writeTimeout", "1h"))
	b.start(p, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-took
		cancel()
	}()
	n, err := p.Write(ctx, make([]byte, 64<<20))
	if n == 0 || n == 64<<20 || !errors.Is(err, context.Canceled) || !errors.Is(err, spoolerr.Cancelled) {
		t.Errorf("n=%d %v", n, err)
	}
	// The connection is whole: the job may go on, or be aborted.
	if err := p.EndDoc(t.Context(), spool.JobStatusRestart); err != nil {
		t.Error(err)
	}
	if len(b.host.Jobs()) != 0 {
		t.Error("an aborted job was reported as sent")
	}
}

// Close may come while a write that was given up is still returning.
func TestCloseAndShutdownInsideWrite(t *testing.T) {
	for _, how := range []string{"close", "shutdown"} {
		t.Run(how, func(t *testing.T) {
			b := newBench(t)
			dev, _ := paperOut(t)
			p := b.open("lp1", dev.settings("writeTimeout", "20ms"))
			b.start(p, 1)
			fill(t, p)
			patient(p)
			result := make(chan error)
			go func() {
				_, err := p.Write(context.Background(), make([]byte, 10))
				result <- err
			}()
			if how == "close" {
				p.Close(t.Context())
			} else {
				b.mon.Shutdown(t.Context())
			}
			montest.WantError(t, <-result, spoolerr.BadHandle, spoolerr.CodeInvalidHandle, "lp1", "closed")
		})
	}
}

func TestShutdownEndsEverything(t *testing.T) {
	b := newBench(t)
	dev, _ := paperOut(t)
	p := b.open("lp1", dev.settings())
	b.start(p, 1)
	x, err := b.mon.XcvOpenPort(t.Context(), "", spool.ServerAccessAdminister)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.mon.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, errWrite := p.Write(t.Context(), []byte("x"))
	_, errEnum := b.mon.EnumPorts(t.Context())
	_, errOpen := b.mon.OpenPort(t.Context(), "lp1")
	_, errXcv := b.mon.XcvOpenPort(t.Context(), "", 0)
	_, errData := x.Data(t.Context(), "MonitorUI", nil)
	for _, err := range []error{errWrite, errEnum, errOpen, errXcv, errData} {
		if !errors.Is(err, spoolerr.BadHandle) {
			t.Errorf("%v", err)
		}
	}
}

func TestResetInTheMiddle(t *testing.T) {
	b := newBench(t)
	dev := newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
		io.CopyN(io.Discard, c, 1000)
		c.SetLinger(0)
	})
	p := b.open("lp1", dev.settings())
	b.start(p, 1)
	var err error
	for err == nil {
		_, err = p.Write(t.Context(), make([]byte, 1000))
	}
	montest.WantError(t, err, spoolerr.Unavailable, spoolerr.CodeWriteFault, `"lp1"`, "127.0.0.1:", "bytes", "check")
	// The host must not be able to talk it into "sent".
	_, again := p.Write(t.Context(), []byte("x"))
	if again == nil || p.EndDoc(t.Context(), 0) == nil || len(b.host.Jobs()) != 0 {
		t.Error("a broken document ended well")
	}
}

func TestResetAtTheEndMayHaveLostTheTail(t *testing.T) {
	b := newBench(t)
	dev := newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
		io.Copy(io.Discard, c)
		c.SetLinger(0)
	})
	p := b.open("lp1", dev.settings())
	b.start(p, 1)
	err := errors.Join(writeAll(t.Context(), p, []byte("doc")), p.EndDoc(t.Context(), 0))
	montest.WantError(t, err, spoolerr.Unavailable, spoolerr.CodeWriteFault, "last pages")
	if len(b.host.Jobs()) != 0 {
		t.Error("reported as sent")
	}
}

// A printer that closes before it read everything resets the connection, though a
// reader sees an orderly close first.
func TestEarlyCloseIsNoDelivery(t *testing.T) {
	b := newBench(t)
	closed := make(chan struct{})
	dev := newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
		io.CopyN(io.Discard, c, 3)
		c.Close()
		close(closed)
	})
	p := b.open("lp1", dev.settings())
	b.start(p, 1)
	if err := writeAll(t.Context(), p, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	<-closed
	err := writeAll(t.Context(), p, []byte("the rest"))
	if err == nil {
		err = p.EndDoc(t.Context(), 0)
	}
	montest.WantError(t, err, spoolerr.Unavailable, spoolerr.CodeWriteFault, "bytes")
	if len(b.host.Jobs()) != 0 {
		t.Error("reported as sent")
	}
}

func TestPrinterThatNeverClosesHasTheDocument(t *testing.T) {
	for _, closeTimeout := range []string{"20ms", "0"} {
		b := newBench(t)
		var log syncBuffer
		b.host.Log = &log
		b.mon, _ = Initialize(t.Context(), b.host.Init(Name))
		dev := newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
			io.Copy(io.Discard, c)
			<-t.Context().Done()
		})
		p := b.open("lp1", dev.settings("closeTimeout", closeTimeout))
		b.start(p, 1)
		if err := errors.Join(writeAll(t.Context(), p, []byte("doc")), p.EndDoc(t.Context(), 0)); err != nil {
			t.Error(err)
		}
		if len(b.host.Jobs()) != 1 || strings.Contains(log.String(), "did not close") != (closeTimeout != "0") {
			t.Errorf("jobs %v, log %q", b.host.Jobs(), log.String())
		}
	}
}

// What waits in this machine for a printer without paper is not delivered.
func TestTailThatIsNotTaken(t *testing.T) {
	err := montest.InTime(t, func(ctx context.Context) error {
		b := newBench(t)
		dev, _ := paperOut(t)
		p := b.open("lp1", dev.settings("writeTimeout", "20ms", "closeTimeout", "20ms"))
		b.start(p, 1)
		fill(t, p)
		err := p.EndDoc(ctx, 0)
		if len(b.host.Jobs()) != 0 {
			t.Error("reported as sent")
		}
		return err
	})
	montest.WantError(t, err, spoolerr.Unavailable, spoolerr.CodeTimeout, "to go", "paper")
}

func TestEndDocObeysItsContext(t *testing.T) {
	b := newBench(t)
	over := make(chan struct{})
	once := sync.OnceFunc(func() { close(over) })
	dev := newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
		io.Copy(io.Discard, c)
		once()
		<-t.Context().Done()
	})
	p := b.open("lp1", dev.settings("closeTimeout", "1h"))
	b.start(p, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-over
		cancel()
	}()
	montest.WantError(t, p.EndDoc(ctx, 0), spoolerr.Cancelled, spoolerr.CodeCancelled, "lp1")
	b.start(p, 2)
	p.EndDoc(t.Context(), spool.JobStatusDeleting)
}

func TestAbortResetsTheConnection(t *testing.T) {
	b := newBench(t)
	dev, got := sink(t)
	p := b.open("lp1", dev.settings())
	b.start(p, 1)
	if err := writeAll(t.Context(), p, []byte("half")); err != nil {
		t.Fatal(err)
	}
	if err := p.EndDoc(t.Context(), spool.JobStatusDeleting); err != nil {
		t.Error(err)
	}
	if s := string(<-got); !strings.Contains(s, "reset") {
		t.Errorf("the printer took %q for a whole document", s)
	}
	if len(b.host.Jobs()) != 0 {
		t.Error("reported as sent")
	}
}

type syncBuffer struct {
	mu sync.Mutex
	strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Write(p)
}

// A process that dies with a document in it resets its connection: what the kernel has
// buffered is not sent later, when another process may print already.
func TestDeathResetsTheConnection(t *testing.T) {
	dead, seen := make(chan struct{}), make(chan error, 1)
	dev := newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
		<-dead
		_, err := io.Copy(io.Discard, c)
		seen <- err
	})
	settings, err := parse(portconfig.Config{Name: "lp1", Settings: dev.settings("writeTimeout", "1s")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := connect(t.Context(), settings, 1<<30, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil { // until the printer takes no more
		_, err = l.Write(t.Context(), make([]byte, spool.ChunkSize))
	}
	l.end() // as the kernel does
	close(dead)
	if err := <-seen; err == nil {
		t.Error("the printer took what had been buffered, and saw an orderly end")
	}
}
