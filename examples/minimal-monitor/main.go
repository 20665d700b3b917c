// Command minimal-monitor is a whole port monitor, "Example Port": it sends documents as
// they are to a TCP port. Vendors copy it; nothing imports it. It leaves out what a
// product wants (ConfigPort, time-outs as settings, telling the spooler of conditions,
// ending a call early when it is cancelled): plugins/tcpmon shows that.
package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func main() {
	monitor.Serve(initialize, monitor.Name("Example Port"), monitor.Version("1.0.0"))
}

// initialize is called once for each spooler. Whatever the instance knows hangs off the
// value it returns: there are no package variables.
func initialize(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
	return &example{init}, nil
}

// example is one instance. Ports live in its registry only: each is a value, whose name
// is the port's and whose text is host:port.
type example struct{ monitor.Init }

func (e *example) EnumPorts(ctx context.Context) (list []spool.PortInfo, err error) {
	for v, err := range registry.Values(ctx, e.Registry) {
		if err != nil {
			return nil, err
		}
		address, _ := v.Text()
		list = append(list, spool.PortInfo{Name: v.Name, Description: address, Type: spool.PortTypeWrite | spool.PortTypeNetAttached})
	}
	return list, nil
}

func (e *example) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	_, err := e.address(ctx, name)
	return &port{monitor: e, name: name}, err
}

func (e *example) XcvOpenPort(_ context.Context, _ string, granted spool.Access) (monitor.Xcv, error) {
	return &xcv{e, granted}, nil
}

func (e *example) Shutdown(context.Context) error { return nil }

func (e *example) address(ctx context.Context, name string) (string, error) {
	v, err := e.Registry.QueryValue(ctx, name)
	if errors.Is(err, spoolerr.NotFound) {
		return "", spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPort, "port %s does not exist; add it", spool.Quote(name))
	}
	if err != nil {
		return "", err
	}
	return v.Text()
}

// port is an open port. The host calls one method at a time: no lock is needed.
type port struct {
	monitor *example
	name    string
	job     uint64
	conn    *net.TCPConn // nil: no document
}

// StartDoc connects for each document, so that the printer is free between them.
func (p *port) StartDoc(ctx context.Context, doc spool.Doc) error {
	if p.conn != nil {
		return spoolerr.New(spoolerr.Busy, 0, "port %s has a document in it", spool.Quote(p.name))
	}
	address, err := p.monitor.address(ctx, p.name)
	if err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return p.failed(err)
	}
	p.conn, p.job = conn.(*net.TCPConn), doc.JobID
	return nil
}

// Write may take fewer bytes than given; the host comes again with the rest. It returns
// soon even when the printer takes nothing: a printer without paper is slow, not broken.
func (p *port) Write(_ context.Context, b []byte) (int, error) {
	if p.conn == nil {
		return 0, p.noDocument()
	}
	_ = p.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	n, err := p.conn.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, spoolerr.New(spoolerr.NotReady, 0, "port %s: the printer takes no data just now; check its paper", spool.Quote(p.name))
	}
	return n, p.failed(err)
}

// EndDoc waits for the printer to take the last byte and reports the job as sent; an
// aborted document is dropped, and not reported.
func (p *port) EndDoc(ctx context.Context, job spool.JobStatus) error {
	if job.Aborted() {
		return p.Close(ctx)
	}
	if p.conn == nil {
		return p.noDocument()
	}
	defer func() { _ = p.Close(ctx) }()
	_ = p.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if err := p.conn.CloseWrite(); err != nil {
		return p.failed(err)
	}
	if _, err := io.Copy(io.Discard, p.conn); err != nil { // until the printer closes too
		return p.failed(err)
	}
	return p.monitor.Spooler.SetJob(ctx, p.job, spool.JobControlSentToPrinter)
}

// Close resets the connection if a document is still in it: the printer must not take
// half of one for a whole. After EndDoc has seen the printer close, nothing is left to reset.
func (p *port) Close(context.Context) error {
	if p.conn != nil {
		_ = p.conn.SetLinger(0)
		_ = p.conn.Close()
		p.conn = nil
	}
	return nil
}

// failed words a failure of the printer. Unavailable keeps the job: the host tries again.
func (p *port) failed(err error) error {
	return spoolerr.As(err, spoolerr.Unavailable, "port %s: check the printer and its network", spool.Quote(p.name))
}

func (p *port) noDocument() error {
	return spoolerr.New(spoolerr.Precondition, spoolerr.CodeNoStartDoc, "port %s has no document; call StartDoc first", spool.Quote(p.name))
}

// xcv is a configuration channel. Its input comes from the caller unchecked.
type xcv struct {
	monitor *example
	granted spool.Access
}

func (x *xcv) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	if !x.granted.Has(spool.ServerAccessAdminister) {
		return nil, spoolerr.New(spoolerr.Denied, 0, "%s needs an administrator of the print server", spool.Quote(name))
	}
	switch name {
	case portconfig.AddPort:
		return nil, x.add(ctx, in)
	case portconfig.DeletePort:
		return nil, x.remove(ctx, in)
	}
	return nil, spoolerr.New(spoolerr.Invalid, 0, "data name %s is unknown; use AddPort or DeletePort", spool.Quote(name))
}

func (x *xcv) Close(context.Context) error { return nil }

func (x *xcv) add(ctx context.Context, in []byte) error {
	c, err := portconfig.Decode(in)
	if err != nil {
		return err
	}
	r := portconfig.Read(c)
	address := r.Required("address")
	if _, _, err := net.SplitHostPort(address); err != nil {
		r.Problem("address", "give host:port, such as 10.0.0.5:9100")
	}
	if err := errors.Join(spool.CheckPortName(c.Name), r.Err()); err != nil {
		return err
	}
	if _, err := x.monitor.address(ctx, c.Name); !errors.Is(err, spoolerr.NotFound) {
		return spoolerr.New(spoolerr.Exists, 0, "port %s exists already", spool.Quote(c.Name))
	}
	return x.monitor.Registry.SetValue(ctx, registry.String(c.Name, address))
}

func (x *xcv) remove(ctx context.Context, in []byte) error {
	name, err := portconfig.DecodeName(in)
	if err != nil {
		return err
	}
	if _, err := x.monitor.address(ctx, name); err != nil {
		return err
	}
	return x.monitor.Registry.DeleteValue(ctx, name)
}
