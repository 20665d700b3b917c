package monitorwire_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// liar is a PrintMonitor server that answers what a test tells it to.
type liar struct {
	monitorv2.UnimplementedPrintMonitorServer
	monitor uint64   // of InitializePrintMonitor2
	handles []uint64 // of OpenPort and XcvOpenPort, one after the other
	caps    []string
	ports   []*monitorv2.PortInfo
	write   *monitorv2.WritePortResponse
	read    int
	xcv     *monitorv2.XcvDataPortResponse
	bidi    []*monitorv2.BidiResponse
	err     error // of EndDocPort
}

func (l *liar) InitializePrintMonitor2(context.Context, *monitorv2.InitializePrintMonitor2Request) (*monitorv2.InitializePrintMonitor2Response, error) {
	return &monitorv2.InitializePrintMonitor2Response{Monitor: l.monitor, Capabilities: l.caps}, nil
}

func (l *liar) EnumPorts(context.Context, *monitorv2.EnumPortsRequest) (*monitorv2.EnumPortsResponse, error) {
	return &monitorv2.EnumPortsResponse{Ports: l.ports}, nil
}

func (l *liar) next() (h uint64) {
	h, l.handles = l.handles[0], l.handles[1:]
	return h
}

func (l *liar) OpenPort(context.Context, *monitorv2.OpenPortRequest) (*monitorv2.OpenPortResponse, error) {
	return &monitorv2.OpenPortResponse{Port: l.next(), Capabilities: l.caps}, nil
}

func (l *liar) ClosePort(context.Context, *monitorv2.ClosePortRequest) (*monitorv2.ClosePortResponse, error) {
	return &monitorv2.ClosePortResponse{}, nil
}

func (l *liar) XcvOpenPort(context.Context, *monitorv2.XcvOpenPortRequest) (*monitorv2.XcvOpenPortResponse, error) {
	return &monitorv2.XcvOpenPortResponse{Xcv: l.next()}, nil
}

func (l *liar) WritePort(context.Context, *monitorv2.WritePortRequest) (*monitorv2.WritePortResponse, error) {
	return l.write, nil
}

func (l *liar) ReadPort(context.Context, *monitorv2.ReadPortRequest) (*monitorv2.ReadPortResponse, error) {
	return &monitorv2.ReadPortResponse{Data: make([]byte, l.read)}, nil
}

func (l *liar) XcvDataPort(context.Context, *monitorv2.XcvDataPortRequest) (*monitorv2.XcvDataPortResponse, error) {
	return l.xcv, nil
}

func (l *liar) SendRecvBidiDataFromPort(context.Context, *monitorv2.SendRecvBidiDataFromPortRequest) (*monitorv2.SendRecvBidiDataFromPortResponse, error) {
	return &monitorv2.SendRecvBidiDataFromPortResponse{Responses: l.bidi}, nil
}

func (l *liar) EndDocPort(context.Context, *monitorv2.EndDocPortRequest) (*monitorv2.EndDocPortResponse, error) {
	return nil, l.err
}

type complaints []string

func join(t *testing.T, l *liar) (*monitorwire.Monitor, *complaints, error) {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	s := grpc.NewServer()
	monitorv2.RegisterPrintMonitorServer(s, l)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(lis)
	}()
	conn, err := grpc.NewClient("passthrough:///buf", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxReply)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		<-served
	})
	said := &complaints{}
	m, err := monitorwire.Initialize(deadline(t), conn, monitorwire.Init{Complain: func(s string) { *said = append(*said, s) }})
	return m, said, err
}

func joined(t *testing.T, l *liar) (*monitorwire.Monitor, *complaints) {
	t.Helper()
	if l.monitor == 0 {
		l.monitor = 1
	}
	m, said, err := join(t, l)
	if err != nil {
		t.Fatal(err)
	}
	return m, said
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func wantBroken(t *testing.T, err error) {
	t.Helper()
	if spoolerr.KindOf(err) != spoolerr.Internal || spoolerr.CodeOf(err) != spoolerr.CodeInvalidPrintMonitor ||
		!strings.Contains(fmt.Sprint(err), "the module broke its contract") {
		t.Errorf("error %v", err)
	}
}

func TestHandles(t *testing.T) {
	_, _, err := join(t, &liar{monitor: 0})
	wantBroken(t, err)
	ctx := deadline(t)
	m, _ := joined(t, &liar{monitor: 5, handles: []uint64{0, 5, 7, 7, 7, 8, 7}})
	_, err = m.OpenPort(ctx, "P")
	wantBroken(t, err) // 0
	_, err = m.XcvOpenPort(ctx, "", 0)
	wantBroken(t, err) // the monitor's own
	p, err := m.OpenPort(ctx, "P")
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.OpenPort(ctx, "P")
	wantBroken(t, err) // open already
	_, err = m.XcvOpenPort(ctx, "", 0)
	wantBroken(t, err) // open already, as a port
	if _, err = m.XcvOpenPort(ctx, "", 0); err != nil {
		t.Error(err)
	}
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err = m.OpenPort(ctx, "P"); err != nil { // a closed one may come again
		t.Error(err)
	}
}

func TestEnumPorts(t *testing.T) {
	names := []string{"good", "bad\x00", "bad\x1b[2J", "GOOD", "", " space", strings.Repeat("x", 300), "a,b", `\\srv\p`, "emoji \U0001f5a8"}
	l := &liar{}
	for _, n := range names {
		l.ports = append(l.ports, &monitorv2.PortInfo{Name: n, Description: "de\x1bscription", Type: 0xffffffff})
	}
	m, said := joined(t, l)
	ports, err := m.EnumPorts(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range ports {
		got = append(got, p.Name)
		if p.Description != "de\ufffdscription" {
			t.Errorf("description %q", p.Description)
		}
	}
	if want := `good|\\srv\p|emoji ` + "\U0001f5a8"; strings.Join(got, "|") != want {
		t.Errorf("ports %q", got)
	}
	if len(*said) != len(names)-len(ports) {
		t.Errorf("complaints %q", *said)
	}
	for _, c := range *said {
		if strings.ContainsAny(c, "\x00\x1b") {
			t.Errorf("complaint %q", c)
		}
	}
	t.Run("nil entry", func(t *testing.T) {
		m, _ := joined(t, &liar{ports: []*monitorv2.PortInfo{{}}})
		if ports, err := m.EnumPorts(deadline(t)); len(ports) != 0 || err != nil {
			t.Errorf("%v, %v", ports, err)
		}
	})
	t.Run("too many", func(t *testing.T) {
		many := make([]*monitorv2.PortInfo, monitorwire.MaxPorts+1)
		for i := range many {
			many[i] = &monitorv2.PortInfo{Name: "p"}
		}
		m, _ := joined(t, &liar{ports: many})
		_, err := m.EnumPorts(deadline(t))
		wantBroken(t, err)
	})
}

func port(t *testing.T, l *liar) *monitorwire.Port {
	t.Helper()
	l.handles = []uint64{2}
	m, _ := joined(t, l)
	p, err := m.OpenPort(deadline(t), "P")
	if err != nil {
		t.Fatal(err)
	}
	port, ok := p.(*monitorwire.Port)
	if !ok {
		t.Fatalf("a port of type %T", p)
	}
	return port
}

func TestWrite(t *testing.T) {
	for name, c := range map[string]struct {
		reply *monitorv2.WritePortResponse
		n     int
		bad   bool
	}{
		"all":                 {&monitorv2.WritePortResponse{Written: 10}, 10, false},
		"more":                {&monitorv2.WritePortResponse{Written: 11}, 0, true},
		"negative":            {&monitorv2.WritePortResponse{Written: 0xffffffff}, 0, true},
		"more, and not ready": {&monitorv2.WritePortResponse{Written: 11, NotReady: true}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := port(t, &liar{write: c.reply}).Write(deadline(t), make([]byte, 10))
			if n != c.n || (err != nil) != c.bad {
				t.Errorf("%d, %v", n, err)
			}
			if c.bad {
				wantBroken(t, err)
			}
		})
	}
	t.Run("dirty reason", func(t *testing.T) {
		reason := "paper\x1b[2J" + strings.Repeat("x", 100_000)
		_, err := port(t, &liar{write: &monitorv2.WritePortResponse{NotReady: true, Reason: reason}}).Write(deadline(t), []byte("x"))
		if spoolerr.KindOf(err) != spoolerr.NotReady || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 5000 {
			t.Errorf("%d bytes of reason, kind %v", len(err.Error()), spoolerr.KindOf(err))
		}
	})
}

func TestOversize(t *testing.T) {
	_, err := port(t, &liar{read: 11, caps: []string{monitor.CapReadPort}}).Read(deadline(t), make([]byte, 10))
	wantBroken(t, err)
	_, err = port(t, &liar{read: wire.MaxReply + 1, caps: []string{monitor.CapReadPort}}).Read(deadline(t), make([]byte, 10))
	if spoolerr.KindOf(err) != spoolerr.Exhausted {
		t.Errorf("a reply above the limit: %v", err)
	}
	_, err = port(t, &liar{bidi: []*monitorv2.BidiResponse{{Data: &monitorv2.BidiData{Type: 8}}}, caps: []string{monitor.CapBidi}}).
		SendRecvBidiData(deadline(t), spool.BidiAccessUser, "Get", nil)
	wantBroken(t, err)
	answers, err := port(t, &liar{bidi: []*monitorv2.BidiResponse{{Schema: "a\x00b"}}, caps: []string{monitor.CapBidi}}).
		SendRecvBidiData(deadline(t), spool.BidiAccessUser, "Get", nil)
	if err != nil || len(answers) != 1 || answers[0].Schema != "a\ufffdb" {
		t.Errorf("%v, %v", answers, err)
	}
}

func TestXcvReplies(t *testing.T) {
	for name, c := range map[string]struct {
		reply *monitorv2.XcvDataPortResponse
		kind  spoolerr.Kind
		code  spoolerr.Code
		text  string
	}{
		"its own result":   {&monitorv2.XcvDataPortResponse{Status: 1796, Kind: uint32(spoolerr.NotFound), Message: "no port"}, spoolerr.NotFound, 1796, "no port"},
		"unknown kind":     {&monitorv2.XcvDataPortResponse{Status: 5, Kind: 9999, Message: "x"}, spoolerr.Internal, 5, "x"},
		"dirty message":    {&monitorv2.XcvDataPortResponse{Status: 5, Kind: uint32(spoolerr.Denied), Message: "a\x07b"}, spoolerr.Denied, 5, "a\ufffdb"},
		"oversize output":  {&monitorv2.XcvDataPortResponse{Output: make([]byte, wire.MaxXcv+1)}, spoolerr.Internal, spoolerr.CodeInvalidPrintMonitor, "broke its contract"},
		"output and error": {&monitorv2.XcvDataPortResponse{Status: 87, Kind: uint32(spoolerr.Invalid), Output: []byte("x")}, spoolerr.Invalid, 87, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := joined(t, &liar{xcv: c.reply, handles: []uint64{2}})
			x, err := m.XcvOpenPort(deadline(t), "", 0)
			if err != nil {
				t.Fatal(err)
			}
			out, err := x.Data(deadline(t), "n", nil)
			if err == nil || out != nil || spoolerr.KindOf(err) != c.kind || spoolerr.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%q, %v (kind %v, code %d)", out, err, spoolerr.KindOf(err), spoolerr.CodeOf(err))
			}
		})
	}
}

// TestErrorDetails: what a module says of an error is not believed blindly.
func TestErrorDetails(t *testing.T) {
	detailed := func(kind, code uint32) error {
		st, err := status.New(codes.Internal, "x\x1by").WithDetails(&pluginv1.ErrorDetail{Kind: kind, Win32Code: code})
		if err != nil {
			t.Fatal(err)
		}
		return st.Err()
	}
	for name, c := range map[string]struct {
		err  error
		kind spoolerr.Kind
		code spoolerr.Code
	}{
		"unknown kind": {detailed(4711, 5), spoolerr.Internal, 5},
		"code 0":       {detailed(uint32(spoolerr.Denied), 0), spoolerr.Denied, spoolerr.CodeAccessDenied},
		"no detail":    {status.Error(codes.PermissionDenied, "x\x1by"), spoolerr.Denied, spoolerr.CodeAccessDenied},
		"odd status":   {status.Error(codes.Code(999), "x\x1by"), spoolerr.Internal, spoolerr.CodeGenFailure},
	} {
		t.Run(name, func(t *testing.T) {
			err := port(t, &liar{err: c.err}).EndDoc(deadline(t), 0)
			if spoolerr.KindOf(err) != c.kind || spoolerr.CodeOf(err) != c.code || err.Error() != "x\ufffdy" {
				t.Errorf("%v (kind %v, code %d)", err, spoolerr.KindOf(err), spoolerr.CodeOf(err))
			}
		})
	}
}

func TestCapabilitiesAreBounded(t *testing.T) {
	caps := make([]string, 1000)
	for i := range caps {
		caps[i] = fmt.Sprint(i)
	}
	m, _ := joined(t, &liar{caps: caps})
	if m.Has("999") || !m.Has("0") {
		t.Error("all of them are kept, or none")
	}
}
