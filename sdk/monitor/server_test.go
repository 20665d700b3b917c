package monitor_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// TestCallOrder takes a document from InitializePrintMonitor2 to Shutdown.
func TestCallOrder(t *testing.T) {
	j := &journal{}
	m := &plain{journal: j, name: "m", port: &plainPort{journal: j}, xcv: &plainXcv{journal: j, out: []byte("out")},
		ports: []spool.PortInfo{{Name: "P1", Description: "one", Type: 3}}}
	var got monitor.Init
	conn := joined(t, func(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
		got = init
		return m, nil
	})
	ctx := deadline(t)
	c := initialized(t, conn, "SRV")
	if got.MonitorName != "Test Port" || got.ServerName != "SRV" || !got.Local || got.Registry == nil || got.Spooler == nil || got.Logger == nil {
		t.Errorf("init %+v", got)
	}
	ports, err := c.EnumPorts(ctx)
	check(t, err)
	if !reflect.DeepEqual(ports, m.ports) {
		t.Errorf("ports %v", ports)
	}
	x, err := c.XcvOpenPort(ctx, "P1", spool.ServerAccessAdminister)
	check(t, err)
	out, err := x.Data(ctx, "AddPort", []byte("in"))
	if string(out) != "out" || err != nil {
		t.Errorf("Data: %q, %v", out, err)
	}
	check(t, x.Close(ctx))
	p, err := c.OpenPort(ctx, "P1")
	check(t, err)
	doc := spool.Doc{JobID: 7, Printer: "q", Title: "ä", User: "u", Datatype: "RAW", Size: 3, Attempt: 2}
	check(t, p.StartDoc(ctx, doc))
	n, err := p.Write(ctx, []byte("abc"))
	if n != 3 || err != nil {
		t.Errorf("Write: %d, %v", n, err)
	}
	check(t, p.EndDoc(ctx, spool.JobStatusPrinting))
	check(t, p.Close(ctx))
	check(t, c.Shutdown(ctx))
	want := strings.Join([]string{
		"m EnumPorts", "m XcvOpenPort P1 1", "Data AddPort in", "CloseXcv", "m OpenPort P1",
		"StartDoc {JobID:7 Printer:q Title:ä User:u Datatype:RAW Size:3 Attempt:2}", "Write 3", "EndDoc 10", "Close", "m Shutdown",
	}, "\n")
	if text := j.take(); text != want {
		t.Errorf("calls\n%s\nwant\n%s", text, want)
	}
}

func TestWrite(t *testing.T) {
	for name, c := range map[string]struct {
		n    int
		err  error
		want int
		kind spoolerr.Kind // of the error; Internal stands for none if err is nil
		text string
	}{
		"all":                {n: 10, want: 10},
		"short":              {n: 4, want: 4},
		"none":               {n: 0, want: 0},
		"negative":           {n: -1, want: 0},
		"not ready":          {n: 3, err: spoolerr.New(spoolerr.NotReady, 0, "paper out"), want: 3, kind: spoolerr.NotReady, text: "paper out"},
		"not ready, Latin-1": {n: 3, err: spoolerr.New(spoolerr.NotReady, 0, "Papier f\xfcllen"), want: 3, kind: spoolerr.NotReady, text: "Papier f\ufffdllen"},
		"bare NotReady":      {n: 0, err: spoolerr.NotReady, want: 0, kind: spoolerr.NotReady},
		"failed":             {n: 3, err: spoolerr.New(spoolerr.Unavailable, spoolerr.CodeOutOfPaper, "jam"), want: 0, kind: spoolerr.Unavailable, text: "jam"},
	} {
		t.Run(name, func(t *testing.T) {
			j := &journal{}
			port := &plainPort{journal: j, write: func(context.Context, []byte) (int, error) { return c.n, c.err }}
			m := initialized(t, joined(t, starts(&plain{journal: j, port: port})), "s")
			p, err := m.OpenPort(deadline(t), "P")
			check(t, err)
			n, err := p.Write(deadline(t), make([]byte, 10))
			if n != c.want || (err == nil) != (c.err == nil) {
				t.Fatalf("%d, %v", n, err)
			}
			if err != nil && (spoolerr.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.text)) {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("more than given", func(t *testing.T) {
		j := &journal{}
		port := &plainPort{journal: j, write: func(context.Context, []byte) (int, error) { return 11, nil }}
		m := initialized(t, joined(t, starts(&plain{journal: j, port: port})), "s")
		p, err := m.OpenPort(deadline(t), "P")
		check(t, err)
		n, err := p.Write(deadline(t), make([]byte, 10))
		wantError(t, err, spoolerr.Internal, spoolerr.CodeInvalidPrintMonitor)
		if n != 0 {
			t.Errorf("%d bytes", n)
		}
	})
}

// TestErrors: kind, code and message of an author's error reach the host from every call.
func TestErrors(t *testing.T) {
	cause := spoolerr.New(spoolerr.Busy, spoolerr.CodeOutOfPaper, "the tray of %s is open", spool.Quote("P1"))
	j := &journal{}
	m := &plain{journal: j, port: &plainPort{journal: j}, xcv: &plainXcv{journal: j}}
	c := initialized(t, joined(t, starts(m)), "s")
	ctx := deadline(t)
	p, err := c.OpenPort(ctx, "P1")
	check(t, err)
	x, err := c.XcvOpenPort(ctx, "", 0)
	check(t, err)
	m.err, m.port.(*plainPort).err, m.xcv.(*plainXcv).err = cause, cause, cause
	for name, call := range map[string]func() error{
		"EnumPorts":   func() error { _, err := c.EnumPorts(ctx); return err },
		"OpenPort":    func() error { _, err := c.OpenPort(ctx, "P2"); return err },
		"XcvOpenPort": func() error { _, err := c.XcvOpenPort(ctx, "", 0); return err },
		"XcvData":     func() error { _, err := x.Data(ctx, "n", nil); return err },
		"StartDoc":    func() error { return p.StartDoc(ctx, spool.Doc{}) },
		"Write":       func() error { _, err := p.Write(ctx, []byte("x")); return err },
		"EndDoc":      func() error { return p.EndDoc(ctx, 0) },
	} {
		err := call()
		wantError(t, err, spoolerr.Busy, spoolerr.CodeOutOfPaper)
		if err == nil || err.Error() != cause.Message {
			t.Errorf("%s: message %v", name, err)
		}
	}
	// The last calls of their handles: the handle is gone all the same.
	for name, call := range map[string]func() error{
		"Close":    func() error { return p.Close(ctx) },
		"XcvClose": func() error { return x.Close(ctx) },
	} {
		wantError(t, call(), spoolerr.Busy, spoolerr.CodeOutOfPaper)
		if err := call(); !errors.Is(err, spoolerr.BadHandle) {
			t.Errorf("%s again: %v", name, err)
		}
	}
	wantError(t, c.Shutdown(ctx), spoolerr.Busy, spoolerr.CodeOutOfPaper)
	wantError(t, c.Shutdown(ctx), spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
}

// TestAuthorsMistakes must be errors that say whose they are, not panics or false success.
func TestAuthorsMistakes(t *testing.T) {
	ctx := deadline(t)
	t.Run("no monitor", func(t *testing.T) {
		_, err := monitorwire.Initialize(ctx, joined(t, starts(nil)), monitorwire.Init{})
		wantError(t, err, spoolerr.Internal, spoolerr.CodeDLLInitFailed)
	})
	t.Run("initialize fails", func(t *testing.T) {
		failing := func(context.Context, monitor.Init) (monitor.Monitor, error) {
			return nil, spoolerr.New(spoolerr.Denied, 0, "no licence")
		}
		_, err := monitorwire.Initialize(ctx, joined(t, failing), monitorwire.Init{})
		wantError(t, err, spoolerr.Denied, spoolerr.CodeAccessDenied)
	})
	t.Run("no port, no channel", func(t *testing.T) {
		c := initialized(t, joined(t, starts(&plain{journal: &journal{}})), "s")
		_, err := c.OpenPort(ctx, "P")
		wantError(t, err, spoolerr.Internal, spoolerr.CodeGenFailure)
		_, err = c.XcvOpenPort(ctx, "", 0)
		wantError(t, err, spoolerr.Internal, spoolerr.CodeGenFailure)
	})
	t.Run("error without a code", func(t *testing.T) {
		j := &journal{}
		c := initialized(t, joined(t, starts(&plain{journal: j, xcv: &plainXcv{journal: j, err: &spoolerr.Error{Kind: spoolerr.Denied, Message: "no"}}})), "s")
		x, err := c.XcvOpenPort(ctx, "", 0)
		check(t, err)
		_, err = x.Data(ctx, "n", nil)
		wantError(t, err, spoolerr.Denied, spoolerr.CodeAccessDenied)
	})
	t.Run("texts that are not UTF-8", func(t *testing.T) {
		m := &plain{journal: &journal{}, ports: []spool.PortInfo{{Name: "P1", Description: "B\xfcro"}, {Name: "P2"}}}
		ports, err := initialized(t, joined(t, starts(m)), "s").EnumPorts(ctx)
		if err != nil || len(ports) != 2 || ports[0].Description != "B\ufffdro" {
			t.Errorf("%v, %v", ports, err)
		}
	})
}

// TestXcvBuffer is the buffer-size protocol of XcvData, which neither side's author sees.
func TestXcvBuffer(t *testing.T) {
	j := &journal{}
	x := &plainXcv{journal: j, out: bytes.Repeat([]byte("x"), 100)}
	conn := joined(t, starts(&plain{journal: j, xcv: x}))
	c := initialized(t, conn, "s")
	ctx := deadline(t)
	_, err := c.XcvOpenPort(ctx, "", 0)
	check(t, err)
	raw := monitorv2.NewPrintMonitorClient(conn)
	const xcv = 2 // the second handle this server has given
	for size, want := range map[uint32]spoolerr.Code{0: 122, 99: 122, 100: 0, 1000: 0} {
		r, err := raw.XcvDataPort(ctx, &monitorv2.XcvDataPortRequest{Xcv: xcv, DataName: "n", OutputSize: size})
		check(t, err)
		if spoolerr.Code(r.GetStatus()) != want || r.GetOutputNeeded() != 100 || (want == 0) != (len(r.GetOutput()) == 100) {
			t.Errorf("buffer of %d: status %d, needed %d, %d bytes", size, r.GetStatus(), r.GetOutputNeeded(), len(r.GetOutput()))
		}
	}
	ch, err := c.XcvOpenPort(ctx, "", 0)
	check(t, err)
	x.out = make([]byte, wire.MaxXcv)
	out, err := ch.Data(ctx, "n", make([]byte, wire.MaxXcv))
	if err != nil || len(out) != wire.MaxXcv {
		t.Errorf("the largest: %d bytes, %v", len(out), err)
	}
	x.out = make([]byte, wire.MaxXcv+1)
	_, err = ch.Data(ctx, "n", nil)
	wantError(t, err, spoolerr.MoreData, spoolerr.CodeInsufficientBuffer)
	_, err = ch.Data(ctx, "n", make([]byte, wire.MaxXcv+1))
	wantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidData)
}

// TestWrongHandles: 0, never given, of another sort, closed.
func TestWrongHandles(t *testing.T) {
	j := &journal{}
	conn := joined(t, starts(&plain{journal: j, port: &plainPort{journal: j}, xcv: &plainXcv{journal: j}}))
	c := initialized(t, conn, "s")
	ctx := deadline(t)
	p, err := c.OpenPort(ctx, "P")
	check(t, err)
	_, err = c.XcvOpenPort(ctx, "", 0)
	check(t, err)
	const theMonitor, thePort, theXcv = 1, 2, 3
	raw := monitorv2.NewPrintMonitorClient(conn)
	calls := rawCalls(raw)
	for name, right := range map[string]uint64{"monitor": theMonitor, "port": thePort, "xcv": theXcv} {
		for _, wrong := range []uint64{0, theMonitor, thePort, theXcv, 99, 1 << 63} {
			if wrong == right {
				continue
			}
			for i, call := range calls[name] {
				if err := spoolgrpc.FromStatus(call(ctx, wrong)); !errors.Is(err, spoolerr.BadHandle) {
					t.Errorf("%s call %d with handle %d: %v", name, i, wrong, err)
				}
			}
		}
	}
	check(t, p.Close(ctx))
	wantError(t, p.StartDoc(ctx, spool.Doc{}), spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
}

// rawCalls are the calls with one handle each, by the sort of handle they want.
func rawCalls(c monitorv2.PrintMonitorClient) map[string][]func(context.Context, uint64) error {
	return map[string][]func(context.Context, uint64) error{
		"monitor": {
			func(ctx context.Context, h uint64) error {
				_, err := c.EnumPorts(ctx, &monitorv2.EnumPortsRequest{Monitor: h})
				return err
			},
			func(ctx context.Context, h uint64) error {
				_, err := c.OpenPort(ctx, &monitorv2.OpenPortRequest{Monitor: h})
				return err
			},
			func(ctx context.Context, h uint64) error {
				_, err := c.XcvOpenPort(ctx, &monitorv2.XcvOpenPortRequest{Monitor: h})
				return err
			},
			func(ctx context.Context, h uint64) error {
				_, err := c.Shutdown(ctx, &monitorv2.ShutdownRequest{Monitor: h})
				return err
			},
		},
		"port": {
			func(ctx context.Context, h uint64) error {
				_, err := c.StartDocPort(ctx, &monitorv2.StartDocPortRequest{Port: h})
				return err
			},
			func(ctx context.Context, h uint64) error {
				_, err := c.WritePort(ctx, &monitorv2.WritePortRequest{Port: h})
				return err
			},
			func(ctx context.Context, h uint64) error {
				_, err := c.EndDocPort(ctx, &monitorv2.EndDocPortRequest{Port: h})
				return err
			},
			func(ctx context.Context, h uint64) error {
				_, err := c.ClosePort(ctx, &monitorv2.ClosePortRequest{Port: h})
				return err
			},
		},
		"xcv": {
			func(ctx context.Context, h uint64) error {
				_, err := c.XcvDataPort(ctx, &monitorv2.XcvDataPortRequest{Xcv: h})
				return err
			},
			func(ctx context.Context, h uint64) error {
				_, err := c.XcvClosePort(ctx, &monitorv2.XcvClosePortRequest{Xcv: h})
				return err
			},
		},
	}
}

// TestShutdownEndsOneInstance: the other one in the same process goes on, with its port.
func TestShutdownEndsOneInstance(t *testing.T) {
	j := &journal{}
	conn := joined(t, func(_ context.Context, init monitor.Init) (monitor.Monitor, error) {
		return &plain{journal: j, name: init.ServerName, port: &plainPort{journal: j}, xcv: &plainXcv{journal: j}}, nil
	})
	ctx := deadline(t)
	a, b := initialized(t, conn, "A"), initialized(t, conn, "B")
	portA, err := a.OpenPort(ctx, "P")
	check(t, err)
	xcvA, err := a.XcvOpenPort(ctx, "", 0)
	check(t, err)
	portB, err := b.OpenPort(ctx, "P")
	check(t, err)
	check(t, a.Shutdown(ctx))
	bad := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, spoolerr.BadHandle) {
			t.Errorf("%s after Shutdown: %v", what, err)
		}
	}
	_, err = a.EnumPorts(ctx)
	bad("EnumPorts", err)
	bad("StartDoc", portA.StartDoc(ctx, spool.Doc{}))
	_, err = xcvA.Data(ctx, "n", nil)
	bad("Data", err)
	_, err = b.EnumPorts(ctx)
	check(t, err)
	check(t, portB.StartDoc(ctx, spool.Doc{}))
	check(t, b.Shutdown(ctx))
	if text := j.take(); strings.Count(text, "Shutdown") != 2 || strings.Contains(text, "A EnumPorts") {
		t.Errorf("calls\n%s", text)
	}
}

// TestOneCallAtATime: an author sees one call of a port at a time, also when the host has
// given the earlier one up; and none after Close.
func TestOneCallAtATime(t *testing.T) {
	j := &journal{}
	entered, leave := make(chan struct{}), make(chan struct{})
	port := &plainPort{journal: j, write: func(context.Context, []byte) (int, error) {
		close(entered)
		<-leave
		return 0, nil
	}}
	c := initialized(t, joined(t, starts(&plain{journal: j, port: port})), "s")
	p, err := c.OpenPort(deadline(t), "P")
	check(t, err)
	ctx, cancel := context.WithCancel(deadline(t))
	given := make(chan error, 1)
	go func() {
		_, err := p.Write(ctx, []byte("x"))
		given <- err
	}()
	<-entered
	cancel()
	wantError(t, <-given, spoolerr.Cancelled, spoolerr.CodeCancelled)
	soon, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := p.EndDoc(soon, spool.JobStatusDeleting); err == nil {
		t.Error("EndDoc came through while Write was running")
	}
	if text := j.take(); strings.Contains(text, "EndDoc") {
		t.Errorf("calls\n%s", text)
	}
	closed, ended := make(chan error, 1), make(chan error, 1)
	go func() { closed <- p.Close(deadline(t)) }()
	go func() { ended <- p.EndDoc(deadline(t), spool.JobStatusDeleting) }()
	close(leave)
	check(t, <-closed)
	if err := <-ended; err != nil {
		wantError(t, err, spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
	}
	if text := j.take(); !strings.HasSuffix(text, "Close") {
		t.Errorf("a call after Close:\n%s", text)
	}
}

// closing is a port that says whether Close could still do something.
type closing struct {
	plainPort
	live chan bool
}

func (p *closing) Close(ctx context.Context) error {
	p.live <- ctx.Err() == nil
	return nil
}

// TestShutdownCancels: a document that is stuck at its device does not keep Shutdown waiting.
func TestShutdownCancels(t *testing.T) {
	entered := make(chan struct{})
	port := &closing{plainPort: plainPort{journal: &journal{}}, live: make(chan bool, 1)}
	port.write = func(ctx context.Context, _ []byte) (int, error) {
		close(entered)
		<-ctx.Done()
		return 0, ctx.Err()
	}
	c := initialized(t, joined(t, starts(&plain{journal: &journal{}, port: port})), "A")
	ctx := deadline(t)
	p, err := c.OpenPort(ctx, "P")
	check(t, err)
	check(t, p.StartDoc(ctx, spool.Doc{}))
	written := make(chan error, 1)
	go func() {
		_, err := p.Write(ctx, []byte("abc"))
		written <- err
	}()
	<-entered
	check(t, c.Shutdown(ctx))
	if err := <-written; err == nil {
		t.Error("the write says that it was done")
	}
	if !<-port.live {
		t.Error("Close was called with a context that had ended")
	}
}

// TestClosePortIsLive: what closes a port has all its time for that.
func TestClosePortIsLive(t *testing.T) {
	port := &closing{plainPort: plainPort{journal: &journal{}}, live: make(chan bool, 1)}
	c := initialized(t, joined(t, starts(&plain{journal: &journal{}, port: port})), "A")
	p, err := c.OpenPort(deadline(t), "P")
	check(t, err)
	check(t, p.Close(deadline(t)))
	if !<-port.live {
		t.Error("Close was called with a context that had ended")
	}
}
