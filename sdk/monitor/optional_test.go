package monitor_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// full is a monitor with everything optional.
type full struct{ plain }

func (f *full) NotifyUsedPorts(_ context.Context, ports []string) error {
	f.note("used %v", ports)
	return f.err
}

func (f *full) NotifyUnusedPorts(_ context.Context, ports []string) error {
	f.note("unused %v", ports)
	return f.err
}

func (f *full) PowerEvent(_ context.Context, e spool.PowerEvent) error {
	f.note("power %x", e)
	return f.err
}

// fullPort is a port with everything optional.
type fullPort struct{ plainPort }

func (p *fullPort) Read(_ context.Context, b []byte) (int, error) {
	p.note("Read %d", len(b))
	return copy(b, "status"), p.err
}

func (p *fullPort) GetPrinterData(_ context.Context, id uint32, name string, in []byte) ([]byte, error) {
	p.note("GetPrinterData %d %s %s", id, name, in)
	return []byte("data"), p.err
}

func (p *fullPort) SetTimeOuts(_ context.Context, t spool.TimeOuts) error {
	p.note("SetTimeOuts %v", t)
	return p.err
}

func (p *fullPort) SendRecvBidiData(_ context.Context, access spool.BidiAccess, action string, requests []spool.BidiRequest) ([]spool.BidiResponse, error) {
	p.note("Bidi %d %s %v", access, action, requests)
	return []spool.BidiResponse{{Result: 0, Number: 1, Schema: `\Printer.T\xfcr`, Data: spool.BidiData{Type: spool.BidiInt, Data: []byte{1, 0, 0, 0}}}}, p.err
}

func TestCapabilities(t *testing.T) {
	for name, c := range map[string]struct {
		of   any
		want []string
	}{
		"plain monitor": {&plain{}, nil},
		"full monitor":  {&full{}, []string{monitor.CapNotifyPorts, monitor.CapPowerEvent}},
		"plain port":    {&plainPort{}, nil},
		"full port":     {&fullPort{}, []string{monitor.CapReadPort, monitor.CapPrinterData, monitor.CapSetPortTimeOuts, monitor.CapBidi}},
	} {
		if got := monitor.Capabilities(c.of); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func openPort(t *testing.T, m monitor.Monitor) (*monitorwire.Monitor, *monitorwire.Port) {
	t.Helper()
	c := initialized(t, joined(t, starts(m)), "s")
	p, err := c.OpenPort(deadline(t), "P")
	check(t, err)
	port, ok := p.(*monitorwire.Port)
	if !ok {
		t.Fatalf("a port of type %T", p)
	}
	return c, port
}

func TestOptionalWithCapability(t *testing.T) {
	j := &journal{}
	port := &fullPort{plainPort{journal: j}}
	m := &full{plain{journal: j, name: "m", port: port}}
	c, p := openPort(t, m)
	ctx := deadline(t)
	check(t, c.NotifyUsedPorts(ctx, []string{"A", "B"}))
	check(t, c.NotifyUnusedPorts(ctx, []string{"C"}))
	check(t, c.PowerEvent(ctx, spool.PowerSuspend))
	buf := make([]byte, 100)
	n, err := p.Read(ctx, buf)
	if err != nil || string(buf[:n]) != "status" {
		t.Errorf("Read: %q, %v", buf[:n], err)
	}
	if n, err := p.Read(ctx, buf[:3]); err != nil || n != 3 {
		t.Errorf("Read into 3 bytes: %d, %v", n, err)
	}
	if n, err := p.Read(ctx, make([]byte, 1<<20)); err != nil || n != 6 {
		t.Errorf("Read into a megabyte: %d, %v", n, err)
	}
	out, err := p.GetPrinterData(ctx, 3, "v", []byte("in"))
	if err != nil || string(out) != "data" {
		t.Errorf("GetPrinterData: %q, %v", out, err)
	}
	check(t, p.SetTimeOuts(ctx, spool.TimeOuts{ReadInterval: 1, ReadTotalMultiplier: 2, ReadTotalConstant: 3, WriteTotalMultiplier: 4, WriteTotalConstant: 5}))
	answers, err := p.SendRecvBidiData(ctx, spool.BidiAccessUser, "Get", []spool.BidiRequest{
		{Number: 1, Schema: `\Printer.Tray`, Data: spool.BidiData{Type: spool.BidiString, Data: []byte("x")}},
	})
	want := []spool.BidiResponse{{Number: 1, Schema: `\Printer.T\xfcr`, Data: spool.BidiData{Type: spool.BidiInt, Data: []byte{1, 0, 0, 0}}}}
	if err != nil || !reflect.DeepEqual(answers, want) {
		t.Errorf("bidi: %+v, %v", answers, err)
	}
	calls := j.take()
	for _, call := range []string{
		"used [A B]", "unused [C]", "power 4", "Read 100", "Read 3", "Read 65536", "GetPrinterData 3 v in",
		"SetTimeOuts {1 2 3 4 5}", "Bidi 2 Get",
	} {
		if !strings.Contains(calls, call) {
			t.Errorf("%q is missing from\n%s", call, calls)
		}
	}
	m.err, port.err = spoolerr.New(spoolerr.Busy, 0, "busy"), spoolerr.New(spoolerr.Busy, 0, "busy")
	for i, err := range optionalErrors(ctx, c, p) {
		if !errors.Is(err, spoolerr.Busy) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func optionalErrors(ctx context.Context, c *monitorwire.Monitor, p *monitorwire.Port) []error {
	_, read := p.Read(ctx, make([]byte, 1))
	_, data := p.GetPrinterData(ctx, 0, "", nil)
	_, bidi := p.SendRecvBidiData(ctx, 0, "", nil)
	return []error{
		read, data, bidi, p.SetTimeOuts(ctx, spool.TimeOuts{}),
		c.NotifyUsedPorts(ctx, nil), c.NotifyUnusedPorts(ctx, nil), c.PowerEvent(ctx, 0),
	}
}

// TestOptionalWithoutCapability: the host does not call; were it to, the module would say so.
func TestOptionalWithoutCapability(t *testing.T) {
	j := &journal{}
	conn := joined(t, starts(&plain{journal: j, port: &plainPort{journal: j}}))
	c := initialized(t, conn, "s")
	ctx := deadline(t)
	opened, err := c.OpenPort(ctx, "P")
	check(t, err)
	p, ok := opened.(*monitorwire.Port)
	if !ok {
		t.Fatalf("a port of type %T", opened)
	}
	j.take()
	errs := optionalErrors(ctx, c, p)
	for i, err := range errs[:4] {
		wantError(t, err, spoolerr.Unsupported, spoolerr.CodeNotSupported)
		_ = i
	}
	for i, err := range errs[4:] { // to nobody's notice
		if err != nil {
			t.Errorf("notification %d: %v", i, err)
		}
	}
	raw := monitorv2.NewPrintMonitorClient(conn)
	const theMonitor, thePort = 1, 2
	_, err = raw.ReadPort(ctx, &monitorv2.ReadPortRequest{Port: thePort, Max: 1})
	wantError(t, spoolgrpc.FromStatus(err), spoolerr.Unsupported, spoolerr.CodeNotSupported)
	_, err = raw.PowerEvent(ctx, &monitorv2.PowerEventRequest{Monitor: theMonitor})
	wantError(t, spoolgrpc.FromStatus(err), spoolerr.Unsupported, spoolerr.CodeNotSupported)
	_, err = raw.ReadPort(ctx, &monitorv2.ReadPortRequest{Port: 99})
	wantError(t, spoolgrpc.FromStatus(err), spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
	if text := j.take(); text != "" {
		t.Errorf("calls:\n%s", text)
	}
}
