package tcpmon

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// device is a printer: behave runs for each connection, and ends with it.
type device struct {
	listener *net.TCPListener
	behave   func(*net.TCPConn)
	all      sync.WaitGroup
}

func newDevice(t *testing.T, address string, behave func(*net.TCPConn)) *device {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("no listener on %s: %v", address, err)
	}
	d := &device{listener: l.(*net.TCPListener), behave: behave}
	d.all.Go(d.accept)
	t.Cleanup(func() {
		l.Close()
		d.all.Wait()
	})
	return d
}

func (d *device) accept() {
	for {
		c, err := d.listener.AcceptTCP()
		if err != nil {
			return
		}
		d.all.Go(func() {
			defer c.Close()
			d.behave(c)
		})
	}
}

func (d *device) settings(more ...string) map[string]string {
	host, port, _ := net.SplitHostPort(d.listener.Addr().String())
	s := map[string]string{"host": host, "port": port}
	for i := 0; i+1 < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	return s
}

// sink is a printer that reads everything and hands it over at the end.
func sink(t *testing.T) (*device, <-chan []byte) {
	got := make(chan []byte, 16)
	return newDevice(t, "127.0.0.1:0", func(c *net.TCPConn) {
		data, err := io.ReadAll(c)
		if err != nil {
			data = append(data, " then "+err.Error()...)
		}
		got <- data
	}), got
}

// bench is a monitor instance with its host.
type bench struct {
	*testing.T
	host *montest.Host
	mon  monitor.Monitor
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, host: montest.NewHost()}
	mon, err := Initialize(t.Context(), b.host.Init(Name))
	if err != nil {
		t.Fatal(err)
	}
	b.mon = mon
	t.Cleanup(func() {
		if err := mon.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if n := b.host.Registry.Open(); n != 0 {
			t.Errorf("%d registry keys left open", n)
		}
	})
	return b
}

func (b *bench) xcv(granted spool.Access, object, name string, in []byte) ([]byte, error) {
	b.Helper()
	x, err := b.mon.XcvOpenPort(b.Context(), object, granted)
	if err != nil {
		return nil, err
	}
	defer x.Close(b.Context())
	return x.Data(b.Context(), name, in)
}

func (b *bench) admin(name string, in []byte) error {
	b.Helper()
	_, err := b.xcv(spool.ServerAccessAdminister, "", name, in)
	return err
}

// open adds a port and opens it.
func (b *bench) open(name string, settings map[string]string) *port {
	b.Helper()
	if err := b.admin(portconfig.AddPort, portconfig.Encode(name, settings)); err != nil {
		b.Fatal(err)
	}
	p, err := b.mon.OpenPort(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close(context.Background()) })
	return p.(*port)
}

func (b *bench) start(p *port, job uint64) {
	b.Helper()
	if err := p.StartDoc(b.Context(), spool.Doc{JobID: job, Attempt: 1}); err != nil {
		b.Fatal(err)
	}
}

func writeAll(ctx context.Context, p monitor.Port, data []byte) error {
	for len(data) > 0 {
		n, err := p.Write(ctx, data)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
