package xcv

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listener is a monitor whose channel keeps what it hears.
type listener struct {
	monitor.Monitor
	object  string
	granted spool.Access
	heard   []string
	closed  int
	inside  chan struct{} // gets a value when a command has begun, if not nil
}

func (l *listener) XcvOpenPort(_ context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	l.object, l.granted = object, granted
	return l, nil
}

func (l *listener) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, errors.New("no deadline")
	}
	l.heard = append(l.heard, name)
	if l.inside != nil {
		l.inside <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return in, nil
}

func (l *listener) Close(ctx context.Context) error {
	l.closed++
	return ctx.Err()
}

func open(t *testing.T, l *listener, timeout time.Duration, granted spool.Access) *Session {
	t.Helper()
	s, err := Open(t.Context(), l, timeout, "P1", granted)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSession(t *testing.T) {
	l := &listener{}
	s := open(t, l, time.Minute, spool.ServerAccessAdminister)
	for _, name := range []string{"AddPort", "Vendor's own"} {
		if out, err := s.Data(t.Context(), name, []byte("in")); string(out) != "in" || err != nil {
			t.Errorf("%s: %q %v", name, out, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := errors.Join(s.Close(gone), s.Close(gone)); err != nil || l.closed != 1 {
		t.Errorf("closed %d times: %v", l.closed, err)
	}
	if _, err := s.Data(t.Context(), "x", nil); !errors.Is(err, spoolerr.BadHandle) {
		t.Errorf("after the close: %v", err)
	}
	if l.object != "P1" || l.granted != spool.ServerAccessAdminister || strings.Join(l.heard, ",") != "AddPort,Vendor's own" {
		t.Errorf("the monitor saw %+v", l)
	}
}

// TestHostRefuses: what the monitor must not see, it does not see.
func TestHostRefuses(t *testing.T) {
	l := &listener{}
	s := open(t, l, time.Minute, spool.ServerAccessEnumerate|spool.PrinterAccessAdminister)
	for _, c := range []struct {
		name string
		in   int
		code spoolerr.Code
	}{
		{"AddPort", 0, spoolerr.CodeAccessDenied},
		{"addport", 0, spoolerr.CodeAccessDenied},
		{"DeletePort", 0, spoolerr.CodeAccessDenied},
		{"ConfigPort", 0, spoolerr.CodeAccessDenied},
		{"SetDefaultCommConfig", 0, spoolerr.CodeAccessDenied},
		{"", 0, spoolerr.CodeInvalidParameter},
		{"a\x1b", 0, spoolerr.CodeInvalidParameter},
		{"a\xff", 0, spoolerr.CodeInvalidParameter},
		{strings.Repeat("a", 300), 0, spoolerr.CodeInvalidParameter},
		{"GetConfigInfo", wire.MaxXcv + 1, spoolerr.CodeInvalidData},
	} {
		if _, err := s.Data(t.Context(), c.name, make([]byte, c.in)); spoolerr.CodeOf(err) != c.code {
			t.Errorf("%.20q with %d bytes: %v", c.name, c.in, err)
		}
	}
	if len(l.heard) > 0 {
		t.Errorf("the monitor heard %q", l.heard)
	}
}

func TestCallsFollowOneAnother(t *testing.T) {
	l := &listener{inside: make(chan struct{}, 1)}
	s := open(t, l, time.Hour, 0)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := s.Data(ctx, "first", nil)
		first <- err
	}()
	<-l.inside
	short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if _, err := s.Data(short, "second", nil); !errors.Is(err, spoolerr.Busy) {
		t.Errorf("a second call: %v", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) || len(l.heard) != 1 {
		t.Errorf("the first: %v; heard %q", err, l.heard)
	}
}

func TestParseTarget(t *testing.T) {
	for name, want := range map[string]Target{
		",XcvMonitor Local Port":         {Monitor: "Local Port"},
		", xcvmonitor Local Port":        {Monitor: "Local Port"},
		",XcvPort IP_10.0.0.5":           {Port: "IP_10.0.0.5"},
		`,XcvPort \\srv\p`:               {Port: `\\srv\p`},
		`\\NTPRINT\,XcvPort LPT1:`:       {Server: "NTPRINT", Port: "LPT1:"},
		`\\NTPRINT\,XcvMonitor A  twice`: {Server: "NTPRINT", Monitor: "A  twice"},
	} {
		if got, err := ParseTarget(name); err != nil || got != want {
			t.Errorf("%q: %+v %v", name, got, err)
		}
	}
	for _, name := range []string{"", ",", ",XcvPort", ",XcvPort ", "XcvPort P1", ",Xcv P1", "P1, Port", `\\NTPRINT`, `\\\,XcvPort P1`} {
		if got, err := ParseTarget(name); !errors.Is(err, spoolerr.CodeInvalidName) {
			t.Errorf("%q: %+v %v", name, got, err)
		}
	}
}

func TestPortName(t *testing.T) {
	portData := append(portconfig.EncodeText("IP_1"), make([]byte, 954)...) // PORT_DATA_1
	for _, c := range []struct {
		in           []byte
		object, want string
	}{
		{portconfig.Encode("a", map[string]string{"k": "v"}), "", "a"},
		{portconfig.Encode("", nil), "P1", "P1"},
		{portconfig.EncodeText("LPT1:"), "", "LPT1:"},
		{portconfig.EncodeText("{odd"), "", "{odd"},
		{portData, "", "IP_1"},
		{nil, "P1", "P1"},
	} {
		if got, err := PortName(c.in, c.object); err != nil || got != c.want {
			t.Errorf("%.20q: %q %v", c.in, got, err)
		}
	}
	for _, in := range [][]byte{nil, {0, 0}, []byte("x"), []byte("{}"), []byte(`{"name":1}`), make([]byte, 964), []byte(strings.Repeat("ab", 4000)), portconfig.EncodeText("a,b")} {
		if got, err := PortName(in, ""); err == nil {
			t.Errorf("%.20q: %q", in, got)
		}
	}
}

func FuzzPortName(f *testing.F) {
	f.Add([]byte("a\x00\x00\x00"), "P1")
	f.Add([]byte(`{"name":"x"}`), "")
	f.Add([]byte{0x3d, 0xd8, 0, 0}, "")
	f.Fuzz(func(t *testing.T, in []byte, object string) {
		if name, err := PortName(in, object); (name == "") == (err == nil) && object == "" {
			t.Errorf("%q, %v", name, err)
		}
		_, _ = ParseTarget(string(in))
	})
}

func TestLimit(t *testing.T) {
	l := &Limit{What: "sessions", PerCaller: 2, InAll: 3}
	enter := func(who string) func() {
		t.Helper()
		leave, err := l.Enter(who)
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	leave := enter("ann")
	enter("ann")
	if _, err := l.Enter("ann"); !errors.Is(err, spoolerr.Exhausted) || !strings.Contains(err.Error(), "ann has 2 sessions") {
		t.Errorf("a third: %v", err)
	}
	enter("bob")
	if _, err := l.Enter("cid"); !errors.Is(err, spoolerr.Exhausted) {
		t.Errorf("a fourth in all: %v", err)
	}
	leave()
	leave()
	enter("ann")
	if _, err := l.Enter("cid"); err == nil {
		t.Error("a place was given back twice")
	}
}
