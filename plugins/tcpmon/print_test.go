package tcpmon

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestDocumentsArrive(t *testing.T) {
	b := newBench(t)
	dev, got := sink(t)
	p := b.open("lp1", dev.settings())
	for job, size := range []int{0, 1, 100, 3 << 20} {
		data := bytes.Repeat([]byte{byte(job), 'x'}, size)
		b.start(p, uint64(job))
		if err := writeAll(t.Context(), p, data); err != nil {
			t.Fatal(err)
		}
		if err := p.EndDoc(t.Context(), spool.JobStatusPrinting); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(<-got, data) {
			t.Errorf("job %d arrived changed", job)
		}
		if last := b.host.Jobs()[job]; last != (montest.JobReport{Job: uint64(job), Control: spool.JobControlSentToPrinter}) {
			t.Errorf("job %d reported as %v", job, last)
		}
	}
	// One clear for what an earlier incarnation may have left, and none per document.
	if reports := b.host.Ports(); len(reports) != 1 || !reports[0].Status.Clear() {
		t.Errorf("port reports %v", reports)
	}
}

func TestIPv6(t *testing.T) {
	for _, host := range []string{"::1", "[::1]"} {
		got := make(chan []byte, 1)
		dev := newDevice(t, "[::1]:0", func(c *net.TCPConn) {
			data, _ := io.ReadAll(c)
			got <- data
		})
		b := newBench(t)
		p := b.open("six", dev.settings("host", host))
		b.start(p, 1)
		if err := errors.Join(writeAll(t.Context(), p, []byte("six")), p.EndDoc(t.Context(), 0)); err != nil {
			t.Fatal(err)
		}
		if string(<-got) != "six" {
			t.Error("wrong document")
		}
	}
}

func TestConnectErrors(t *testing.T) {
	tests := []struct {
		name     string
		settings map[string]string
		code     spoolerr.Code
	}{
		{"refused", map[string]string{"host": "127.0.0.1", "port": closedPort(t)}, spoolerr.CodeConnectionRefused},
		{"no such host", map[string]string{"host": "printer.invalid"}, spoolerr.CodeNotConnected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			p := b.open("lp1", tt.settings)
			err := p.StartDoc(t.Context(), spool.Doc{JobID: 1})
			montest.WantError(t, err, spoolerr.Unavailable, tt.code, `"lp1"`, tt.settings["host"], ":", "check")
			if _, err := p.Write(t.Context(), []byte("x")); !errors.Is(err, spoolerr.CodeNoStartDoc) {
				t.Errorf("Write after a failed StartDoc: %v", err)
			}
		})
	}
}

func TestCallsOutOfOrder(t *testing.T) {
	b := newBench(t)
	dev, got := sink(t)
	p := b.open("lp1", dev.settings())
	if _, err := p.Write(t.Context(), []byte("x")); !errors.Is(err, spoolerr.CodeNoStartDoc) {
		t.Errorf("Write: %v", err)
	}
	if _, err := p.Read(t.Context(), make([]byte, 1)); !errors.Is(err, spoolerr.CodeNoStartDoc) {
		t.Errorf("Read: %v", err)
	}
	if err := p.EndDoc(t.Context(), 0); !errors.Is(err, spoolerr.CodeNoStartDoc) {
		t.Errorf("EndDoc: %v", err)
	}
	if err := p.EndDoc(t.Context(), spool.JobStatusDeleting); err != nil {
		t.Errorf("EndDoc of an aborted document: %v", err)
	}
	b.start(p, 7)
	montest.WantError(t, p.StartDoc(t.Context(), spool.Doc{JobID: 8}), spoolerr.Busy, spoolerr.CodeBusy, "lp1", "end that one")
	if err := errors.Join(p.EndDoc(t.Context(), 0), p.Close(t.Context()), p.Close(t.Context())); err != nil {
		t.Error(err)
	}
	<-got
	montest.WantError(t, p.StartDoc(t.Context(), spool.Doc{}), spoolerr.BadHandle, spoolerr.CodeInvalidHandle, "closed")
}

func TestPortOpensOnce(t *testing.T) {
	b := newBench(t)
	p := b.open("lp1", map[string]string{"host": "printer"})
	_, err := b.mon.OpenPort(t.Context(), "LP1")
	montest.WantError(t, err, spoolerr.Busy, spoolerr.CodeBusy, "LP1")
	_, err = b.mon.OpenPort(t.Context(), "lp2")
	montest.WantError(t, err, spoolerr.NotFound, spoolerr.CodeUnknownPort, "lp2")
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := b.mon.OpenPort(t.Context(), "LP1")
	if err != nil {
		t.Fatal(err)
	}
	again.Close(t.Context())
}

func TestConfigPortTakesEffectWithTheNextDocument(t *testing.T) {
	b := newBench(t)
	first, gotFirst := sink(t)
	second, gotSecond := sink(t)
	p := b.open("lp1", first.settings())
	b.start(p, 1)
	if err := b.admin(portconfig.ConfigPort, portconfig.Encode("lp1", second.settings())); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(writeAll(t.Context(), p, []byte("one")), p.EndDoc(t.Context(), 0))
	b.start(p, 2)
	err = errors.Join(err, writeAll(t.Context(), p, []byte("two")), p.EndDoc(t.Context(), 0))
	if err != nil || string(<-gotFirst) != "one" || string(<-gotSecond) != "two" {
		t.Errorf("documents went astray: %v", err)
	}
}

func TestStatusBytesAreReadAndHandedOut(t *testing.T) {
	b := newBench(t)
	status := []byte("@PJL USTATUS DEVICE\r\nCODE=10001\r\n\f")
	dev := newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
		io.CopyN(io.Discard, c, 3)
		// Far more than any buffer holds: a monitor that never reads would deadlock here.
		c.Write(bytes.Repeat([]byte("chatter\n"), 1<<20))
		c.Write(status)
		io.Copy(io.Discard, c)
	})
	p := b.open("lp1", dev.settings())
	b.start(p, 1)
	if err := writeAll(t.Context(), p, []byte("doc")); err != nil {
		t.Fatal(err)
	}
	var said []byte
	for !bytes.HasSuffix(said, status) {
		buf := make([]byte, 64)
		n, err := p.Read(t.Context(), buf)
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, buf[:n]...)
	}
	if err := p.EndDoc(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

func TestSpoolerThatCannotBeTold(t *testing.T) {
	b := newBench(t)
	dev, got := sink(t)
	p := b.open("lp1", dev.settings())
	b.host.Refuse(spoolerr.New(spoolerr.Unavailable, 0, "host is gone"))
	b.start(p, 5)
	err := errors.Join(writeAll(t.Context(), p, []byte("x")), p.EndDoc(t.Context(), 0))
	montest.WantError(t, err, spoolerr.Unavailable, spoolerr.CodeNotConnected, "job 5 is delivered", "host is gone")
	<-got
	b.host.Refuse(nil)
	b.start(p, 6)
	if err := p.EndDoc(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if !slices.Equal(b.host.Jobs(), []montest.JobReport{{Job: 6, Control: spool.JobControlSentToPrinter}}) {
		t.Errorf("jobs %v", b.host.Jobs())
	}
}
