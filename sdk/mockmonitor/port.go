package mockmonitor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// port is an open port.
type port struct {
	instance *instance
	name     string
	unsized  bool

	script Script
	doc    *Document // nil between documents
	sum    hash.Hash
	turn   int // writes of this document so far

	mu   sync.Mutex // Shutdown drops the connection while a call uses it
	conn *net.TCPConn
}

var _ monitor.Port = (*port)(nil)

// TakesUnsized implements monitor.UnsizedPort.
func (p *port) TakesUnsized() bool { return p.unsized }

func (p *port) call(method string) Call {
	c := Call{Method: method, Port: p.name}
	if p.doc != nil {
		c.Job, c.Offset = p.doc.Doc.JobID, p.doc.Bytes
	}
	return c
}

func (p *port) enter(ctx context.Context, c Call) error {
	attempt := 0
	if p.doc != nil {
		attempt = p.doc.Doc.Attempt
	}
	return p.instance.enter(ctx, c, p.script, attempt)
}

// StartDoc reads the port's settings anew and connects.
func (p *port) StartDoc(ctx context.Context, doc spool.Doc) (err error) {
	if p.doc != nil {
		return spoolerr.New(spoolerr.Busy, 0, "port %s has a document in it", spool.Quote(p.name))
	}
	if _, p.script, err = p.instance.config(ctx, p.name); err != nil {
		return err
	}
	m := p.instance.mock
	p.doc, p.sum, p.turn = &Document{Server: p.instance.init.ServerName, Port: p.name, Doc: doc}, sha256.New(), 0
	defer func() {
		if err != nil {
			p.doc = nil
		}
	}()
	if err := p.enter(ctx, p.call("start")); err != nil {
		return err
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	m.update(func() {
		m.documents = append(m.documents, p.doc)
		if p.script.Grow > 0 {
			m.kept = append(m.kept, make([]byte, p.script.Grow))
			clear(m.kept[len(m.kept)-1]) // so that the pages are there
		}
	})
	for n := range p.script.Noise {
		p.instance.init.Logger.Info("noise", "line", n)
	}
	return p.report(ctx, spool.PortStatus{Text: p.script.Status, Severity: spool.SeverityError})
}

func (p *port) report(ctx context.Context, status spool.PortStatus) error {
	if p.script.Status == "" {
		return nil
	}
	return p.instance.init.Spooler.SetPort(ctx, p.name, status)
}

func (p *port) connect(ctx context.Context) error {
	if p.script.To == "" {
		return nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.script.To)
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "port %s", spool.Quote(p.name))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn, _ = conn.(*net.TCPConn); p.conn != nil {
		_ = p.conn.SetLinger(0) // a process that dies in a document resets its connection
	}
	return nil
}

func (p *port) device() *net.TCPConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn
}

// Write waits for the device a short time only: a slow one is "not ready".
func (p *port) Write(ctx context.Context, b []byte) (int, error) {
	if p.doc == nil {
		return 0, p.noDocument()
	}
	c := p.call("write")
	c.Bytes = len(b)
	if err := p.enter(ctx, c); err != nil {
		return 0, err
	}
	if p.turn++; p.turn <= p.script.NotReady {
		return 0, spoolerr.New(spoolerr.NotReady, 0, "the device is not ready")
	}
	b = b[:p.script.room(len(b), p.doc.Bytes, p.doc.Doc.Attempt)]
	n, err := p.send(b)
	_, _ = p.sum.Write(b[:n])
	p.instance.mock.update(func() { p.doc.Bytes += int64(n) })
	return n, err
}

func (p *port) send(b []byte) (int, error) {
	const patience = 100 * time.Millisecond
	conn := p.device()
	if conn == nil {
		return len(b), nil
	}
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	n, err := conn.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, spoolerr.New(spoolerr.NotReady, 0, "the device takes no data")
	}
	return n, spoolerr.As(err, spoolerr.Unavailable, "port %s", spool.Quote(p.name))
}

// EndDoc waits until the device has closed the connection, and reports.
func (p *port) EndDoc(ctx context.Context, status spool.JobStatus) error {
	if p.doc == nil {
		return p.noDocument()
	}
	doc := p.doc
	defer func() { p.doc = nil }()
	defer p.drop(status.Aborted())
	p.instance.mock.update(func() {
		doc.Ended, doc.Status, doc.SHA256 = true, status, hex.EncodeToString(p.sum.Sum(nil))
	})
	c := p.call("end")
	c.Status = status
	err := p.enter(ctx, c)
	if err == nil && !status.Aborted() {
		err = p.finish(ctx)
	}
	return errors.Join(err, p.report(ctx, spool.PortStatus{}))
}

func (p *port) finish(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	if p.script.Confirm == "never" && p.script.active(p.doc.Doc.Attempt) {
		return nil
	}
	if err := p.instance.init.Spooler.SetJob(ctx, p.doc.Doc.JobID, spool.JobControlSentToPrinter); err != nil {
		return err
	}
	p.instance.mock.update(func() { p.doc.Sent = true })
	return p.enter(ctx, p.call("sent"))
}

func (p *port) flush(ctx context.Context) error {
	conn := p.device()
	if conn == nil {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	if err := conn.CloseWrite(); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "the device did not take the end")
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return spoolerr.As(err, spoolerr.Unavailable, "the device did not close")
	}
	return nil
}

// drop ends the connection; an incomplete document ends by a reset, which the device can
// tell from its end.
func (p *port) drop(reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return
	}
	if !reset {
		_ = p.conn.SetLinger(-1)
	}
	_ = p.conn.Close()
	p.conn = nil
}

// Close gives the port back; a document that is in it is dropped.
func (p *port) Close(ctx context.Context) error {
	err := p.enter(ctx, p.call("close"))
	p.drop(true)
	p.doc = nil
	p.instance.forget(p)
	return err
}

func (p *port) noDocument() error {
	return spoolerr.New(spoolerr.Precondition, spoolerr.CodeNoStartDoc, "port %s has no document; call StartDoc first", spool.Quote(p.name))
}
