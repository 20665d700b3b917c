package hosttest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// faults is what a port does wrong, and when.
type faults struct {
	settings map[string]string
	attempt  int
}

func newFaults(settings map[string]string, attempt int) faults {
	return faults{settings: settings, attempt: attempt}
}

func (f faults) number(key string, def int) int {
	if n, err := strconv.Atoi(f.settings[key]); err == nil {
		return n
	}
	return def
}

func (f faults) active() bool {
	if f.attempt > f.number("only", f.attempt) {
		return false
	}
	if path := f.settings["while"]; path != "" {
		_, err := os.Stat(path)
		return err == nil
	}
	return true
}

// crashExit is the status of a process that a fault ends.
const crashExit = 3

// strike does what the settings say of a call; sent is how much the device has.
func (f faults) strike(ctx context.Context, call string, sent int64) error {
	if !f.active() || call == "write" && sent < int64(f.number("at", 0)) {
		return nil
	}
	switch call {
	case f.settings["crash"]:
		os.Exit(crashExit)
	case f.settings["hang"]:
		if f.settings["obeys"] == "yes" {
			<-ctx.Done()
			return ctx.Err()
		}
		select {} // for ever
	case f.settings["fail"]:
		return spoolerr.New(spoolerr.Unavailable, spoolerr.CodeConnectionRefused, "the device refuses")
	}
	return nil
}

// room is how many bytes of a write go to the device before a fault strikes.
func (f faults) room(n int, sent int64) int {
	n = min(n, f.number("short", n))
	if at := int64(f.number("at", 0)); at > sent && f.active() {
		n = int(min(int64(n), at-sent))
	}
	return n
}

// testPort prints to a TCP address.
type testPort struct {
	monitor *testMonitor
	name    string

	doc    spool.Doc
	faults faults
	conn   *net.TCPConn // nil if bytes are dropped
	sent   int64
}

// StartDoc reads the port's settings anew and connects.
func (p *testPort) StartDoc(ctx context.Context, doc spool.Doc) error {
	c, err := p.monitor.port(ctx, p.name)
	if err != nil {
		return err
	}
	p.doc, p.faults, p.sent = doc, newFaults(c.Settings, doc.Attempt), 0
	if err := p.faults.strike(ctx, "start", 0); err != nil {
		return err
	}
	to := c.Settings["to"]
	if to == "" {
		return nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "port %s", p.name)
	}
	p.conn, _ = conn.(*net.TCPConn)
	return nil
}

// Write waits for the device a short time only: a slow one is "not ready".
func (p *testPort) Write(ctx context.Context, b []byte) (int, error) {
	const patience = 100 * time.Millisecond
	if err := p.faults.strike(ctx, "write", p.sent); err != nil {
		return 0, err
	}
	b = b[:p.faults.room(len(b), p.sent)]
	n := len(b)
	if p.conn != nil {
		_ = p.conn.SetWriteDeadline(time.Now().Add(patience))
		var err error
		n, err = p.conn.Write(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = spoolerr.New(spoolerr.NotReady, 0, "the device takes no data")
		}
		if err != nil {
			p.sent += int64(n)
			return n, err
		}
	}
	p.sent += int64(n)
	return n, nil
}

// EndDoc waits until the device has closed the connection, and reports.
func (p *testPort) EndDoc(ctx context.Context, status spool.JobStatus) error {
	defer p.drop(status.Aborted())
	if status.Aborted() {
		return nil
	}
	if err := p.faults.strike(ctx, "end", p.sent); err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if p.faults.settings["confirm"] == "never" && p.faults.active() {
		return nil
	}
	if err := p.monitor.init.Spooler.SetJob(ctx, p.doc.JobID, spool.JobControlSentToPrinter); err != nil {
		return err
	}
	return p.faults.strike(ctx, "sent", p.sent)
}

func (p *testPort) flush(ctx context.Context) error {
	if p.conn == nil {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = p.conn.SetReadDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = p.conn.SetReadDeadline(time.Now()) })
	defer stop()
	if err := p.conn.CloseWrite(); err != nil {
		return err
	}
	if _, err := p.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return spoolerr.As(err, spoolerr.Unavailable, "the device did not close")
	}
	return nil
}

// drop ends the connection; an incomplete document ends by a reset, which the device can
// tell from its end.
func (p *testPort) drop(reset bool) {
	if p.conn == nil {
		return
	}
	if reset {
		_ = p.conn.SetLinger(0)
	}
	_ = p.conn.Close()
	p.conn = nil
}

// Close implements monitor.Port.
func (p *testPort) Close(context.Context) error {
	p.drop(true)
	return nil
}
