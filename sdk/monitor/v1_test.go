package monitor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// old is an unconverted monitor as of 1996; oldest has no AddPortEx either.
type (
	oldest struct{ *plain }
	old    struct{ oldest }
)

func (o oldest) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	return o.plain.EnumPorts(ctx)
}
func (o oldest) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	return o.plain.OpenPort(ctx, name)
}

func (o old) AddPortEx(_ context.Context, in []byte) error {
	o.note("AddPortEx %s", in)
	return o.err
}

func (o old) DeletePort(_ context.Context, name string) error {
	o.note("DeletePort %s", name)
	return o.err
}

// TestUnconverted takes a document through a monitor that knows of no handle.
func TestUnconverted(t *testing.T) {
	j := &journal{}
	m := old{oldest{&plain{journal: j, name: "m", port: &plainPort{journal: j}, ports: []spool.PortInfo{{Name: "P1", Description: "one", Type: 3}}}}}
	var got monitor.InitV1
	conn := joinedV1(t, func(_ context.Context, init monitor.InitV1) (monitor.Unconverted, error) {
		got = init
		return m, nil
	})
	ctx := deadline(t)
	c, err := monitorwire.InitializeV1(ctx, conn, monitorwire.InitV1{RegistryRoot: `System\Monitors\Old`})
	check(t, err)
	if got.RegistryRoot != `System\Monitors\Old` || got.Registry == nil || got.Spooler == nil || got.Logger == nil {
		t.Errorf("init %+v", got)
	}
	if _, err := monitorwire.InitializeV1(ctx, conn, monitorwire.InitV1{}); spoolerr.KindOf(err) != spoolerr.Exists {
		t.Errorf("a second instance: %v", err)
	}
	ports, err := c.EnumPorts(ctx)
	check(t, err)
	if len(ports) != 1 || ports[0] != m.ports[0] {
		t.Errorf("ports %v", ports)
	}
	xcvV1(t, c)
	p, err := c.OpenPort(ctx, "P1")
	check(t, err)
	check(t, p.StartDoc(ctx, spool.Doc{JobID: 7, Title: "ä", Size: 3, Attempt: 2}))
	n, err := p.Write(ctx, []byte("abc"))
	if n != 3 || err != nil {
		t.Errorf("Write: %d, %v", n, err)
	}
	check(t, p.EndDoc(ctx, spool.JobStatusPrinting))
	check(t, p.Close(ctx))
	wantError(t, p.Close(ctx), spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
	check(t, c.Shutdown(ctx))
	want := strings.Join([]string{
		"m EnumPorts", `AddPortEx {"name":"P2"}`, "DeletePort P2", "m OpenPort P1",
		"StartDoc {JobID:7 Printer: Title:ä User: Datatype: Size:3 Attempt:2}", "Write 3", "EndDoc 10", "Close",
	}, "\n")
	if text := j.take(); text != want {
		t.Errorf("calls\n%s\nwant\n%s", text, want)
	}
}

// xcvV1 adds and deletes a port; nothing else can be asked of an unconverted monitor.
func xcvV1(t *testing.T, c *monitorwire.Monitor) {
	t.Helper()
	ctx := deadline(t)
	x, err := c.XcvOpenPort(ctx, "", spool.ServerAccessAdminister)
	check(t, err)
	_, err = x.Data(ctx, portconfig.AddPort, portconfig.Encode("P2", nil))
	check(t, err)
	_, err = x.Data(ctx, portconfig.DeletePort, portconfig.EncodeText("P2"))
	check(t, err)
	_, err = x.Data(ctx, portconfig.MonitorUI, nil)
	wantError(t, err, spoolerr.Unsupported, spoolerr.CodeNotSupported)
	check(t, x.Close(ctx))
	_, err = x.Data(ctx, portconfig.AddPort, nil)
	wantError(t, err, spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
	user, err := c.XcvOpenPort(ctx, "", 0)
	check(t, err)
	_, err = user.Data(ctx, portconfig.AddPort, portconfig.Encode("P2", nil))
	wantError(t, err, spoolerr.Denied, spoolerr.CodeAccessDenied)
}

func TestUnconvertedWithoutAddPort(t *testing.T) {
	ctx := deadline(t)
	conn := joinedV1(t, func(context.Context, monitor.InitV1) (monitor.Unconverted, error) {
		return oldest{&plain{journal: &journal{}}}, nil
	})
	c, err := monitorwire.InitializeV1(ctx, conn, monitorwire.InitV1{})
	check(t, err)
	x, err := c.XcvOpenPort(ctx, "", spool.ServerAccessAdminister)
	check(t, err)
	_, err = x.Data(ctx, portconfig.AddPort, portconfig.Encode("P2", nil))
	wantError(t, err, spoolerr.Unsupported, spoolerr.CodeNotSupported)
	if caps := c.Has(monitor.CapPowerEvent); caps {
		t.Error("an unconverted monitor has a capability")
	}
}

func TestUnconvertedFailsToInitialize(t *testing.T) {
	conn := joinedV1(t, func(context.Context, monitor.InitV1) (monitor.Unconverted, error) { return nil, nil })
	_, err := monitorwire.InitializeV1(deadline(t), conn, monitorwire.InitV1{})
	wantError(t, err, spoolerr.Internal, spoolerr.CodeDLLInitFailed)
}
