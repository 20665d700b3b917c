//go:build linux

package chaos

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// devices are the printers: they take AppSocket connections, remember who sent what and
// in which order, and judge it.
type devices struct {
	began   time.Time
	readers sync.WaitGroup
	hurry   atomic.Bool // nothing is slow any more: only the end is waited for

	mu    sync.Mutex
	conns []*connection
	ends  []io.Closer
}

// connection is one to a printer. It is copied by records.
type connection struct {
	Number           int
	Spooler, Printer string
	Source           string // the address of the node
	// Opened and First are when it came and when its first byte was read, by one clock.
	Opened, First time.Duration
	reading
	// Limit is how many bytes had come when a connection that makes this one an old one had
	// its first; -1 if there was none.
	Limit int64
	By    int // that connection
	Err   string

	tcp *net.TCPConn
}

// listen makes a printer. pause is how long it rests between reads of few bytes, so that
// its senders feel it.
func (d *devices) listen(ip, spooler, printer string, pause time.Duration) (port int, err error) {
	cfg := net.ListenConfig{}
	if pause > 0 {
		cfg.Control = func(_, _ string, c syscall.RawConn) error { return smallBuffer(c) }
	}
	l, err := cfg.Listen(context.Background(), "tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	d.ends = append(d.ends, l)
	d.mu.Unlock()
	d.readers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tcp := c.(*net.TCPConn)
			d.readers.Go(func() { d.read(d.open(tcp, spooler, printer), pause) })
		}
	})
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (d *devices) open(tcp *net.TCPConn, spooler, printer string) *connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	source, _, _ := net.SplitHostPort(tcp.RemoteAddr().String())
	c := &connection{Number: len(d.conns) + 1, Spooler: spooler, Printer: printer, Source: source, Opened: time.Since(d.began), Limit: -1, tcp: tcp}
	d.conns = append(d.conns, c)
	d.ends = append(d.ends, tcp)
	return c
}

func (d *devices) read(c *connection, pause time.Duration) {
	tcp, size := c.tcp, 256<<10
	if pause > 0 {
		size = 8 << 10
	}
	buf := make([]byte, size)
	for {
		n, err := tcp.Read(buf)
		d.took(c, buf[:n], err)
		if err != nil {
			_ = tcp.Close()
			return
		}
		if pause > 0 && !d.hurry.Load() {
			<-time.After(pause)
		}
	}
}

func (d *devices) took(c *connection, p []byte, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.Total == 0 && len(p) > 0 {
		c.First = time.Since(d.began)
		d.age(c)
	}
	c.take(p)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			c.Err = err.Error()
		}
		c.tcp, c.want, c.head = nil, nil, nil
	}
}

// age makes the older connections old ones: those to the same printer, and those of other
// nodes to any printer of the spooler. The kernel says how much each has brought by now,
// read or not; d.mu is held.
func (d *devices) age(by *connection) {
	for _, o := range d.conns[:by.Number-1] {
		mine := o.Spooler == by.Spooler && (o.Printer == by.Printer || o.Source != by.Source)
		if !mine || o.tcp == nil || o.Limit >= 0 {
			continue
		}
		o.Limit, o.By = max(received(o.tcp), o.Total), by.Number
	}
}

// records gives all connections so far.
func (d *devices) records() []connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]connection, 0, len(d.conns))
	for _, c := range d.conns {
		list = append(list, *c)
	}
	return list
}

func (d *devices) close() {
	d.mu.Lock()
	for _, c := range d.ends {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.readers.Wait()
}

// smallBuffer has the kernel take little that the printer has not read.
func smallBuffer(c syscall.RawConn) (err error) {
	if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<10) }); e != nil {
		return e
	}
	return err
}

// received asks the kernel how many bytes have come over a connection.
func received(c *net.TCPConn) (n int64) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = int64(info.Bytes_received)
		}
	})
	return n
}
