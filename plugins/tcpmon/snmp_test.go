package tcpmon

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/plugins/internal/printermib/snmptest"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// hurry makes an instance ask all the time.
func hurry(b *bench) {
	b.mon.(*instance).watchers.pace = func(snmpSettings, int, bool) time.Duration { return 2 * time.Millisecond }
}

func (d *device) snmp(a *snmptest.Agent, more ...string) map[string]string {
	return d.settings(append([]string{"snmp", "true", "snmpPort", strconv.Itoa(a.Port())}, more...)...)
}

// waitReport waits for the last report to be of a kind.
func (b *bench) waitReport(what string, ok func(spool.PortStatus) bool) spool.PortStatus {
	b.Helper()
	var last spool.PortStatus
	montest.Until(b, "a report of "+what, func() bool {
		r := b.host.Ports()
		if len(r) == 0 {
			return false
		}
		last = r[len(r)-1].Status
		return ok(last)
	})
	return last
}

func TestPrinterReportsItsTroubles(t *testing.T) {
	b := newBench(t)
	hurry(b)
	dev, _ := sink(t)
	agent := snmptest.New(t, snmptest.Printer())
	b.open("lp1", dev.snmp(agent))
	agent.Set(snmptest.Panel, "LOAD TRAY 1")
	agent.Set(snmptest.DeviceStatus, 5)
	agent.Set(snmptest.ErrorState, "\x40\x00")
	s := b.waitReport("paper out", func(s spool.PortStatus) bool { return s.Code == spool.PortStatusPaperOut })
	if s.Severity != spool.SeverityError || s.Text != `out of paper (the panel shows "LOAD TRAY 1")` {
		t.Errorf("%+v", s)
	}
	agent.Set(snmptest.ErrorState, "\x20\x00")
	b.waitReport("toner low", func(s spool.PortStatus) bool { return s.Severity == spool.SeverityWarning })
	agent.Set(snmptest.ErrorState, "\x00\x00")
	b.waitReport("all clear", spool.PortStatus.Clear)

	// A printer that is switched off takes its condition with it: StartDoc finds out.
	agent.Set(snmptest.ErrorState, "\x08\x00")
	b.waitReport("door open", func(s spool.PortStatus) bool { return s.Code == spool.PortStatusDoorOpen })
}

func TestSilentPrinterHasNoCondition(t *testing.T) {
	b := newBench(t)
	w := b.mon.(*instance).watchers
	w.pace = func(snmpSettings, int, bool) time.Duration { return time.Millisecond }
	agent := snmptest.New(t, snmptest.Printer())
	agent.Set(snmptest.ErrorState, "\x08\x00")
	dev, got := sink(t)
	p := b.open("lp1", dev.snmp(agent))
	b.waitReport("door open", func(s spool.PortStatus) bool { return s.Code == spool.PortStatusDoorOpen })
	agent.Deaf(true)
	b.waitReport("nothing", spool.PortStatus.Clear)
	// Nor does a document wait for the answer.
	b.start(p, 1)
	if err := writeAll(t.Context(), p, []byte("doc")); err != nil {
		t.Fatal(err)
	}
	if err := p.EndDoc(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if string(<-got) != "doc" {
		t.Error("another document")
	}
}

// SNMP can be switched on and off while the port is open, and without it nobody is asked.
func TestSNMPIsSwitched(t *testing.T) {
	b := newBench(t)
	hurry(b)
	agent := snmptest.New(t, snmptest.Printer())
	agent.Set(snmptest.ErrorState, "\x04\x00")
	dev, _ := sink(t)
	b.open("lp1", dev.snmp(agent, "snmp", "false"))
	if n := agent.Asked(); n != 0 {
		t.Errorf("asked %d times", n)
	}
	set := func(value string) {
		if err := b.admin(portconfig.ConfigPort, portconfig.Encode("lp1", map[string]string{"snmp": value})); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		set("true")
		b.waitReport("jam", func(s spool.PortStatus) bool { return s.Code == spool.PortStatusPaperJam })
		set("false")
		b.waitReport("nothing", spool.PortStatus.Clear)
	}
}

func TestPace(t *testing.T) {
	s := snmpSettings{interval: time.Minute}
	near := func(got, want time.Duration) bool { return got >= want && got <= want+want/10+1 }
	for _, tt := range []struct {
		failures int
		trouble  bool
		want     time.Duration
	}{{0, false, time.Minute}, {0, true, 10 * time.Second}, {1, false, 2 * time.Minute}, {3, true, 8 * time.Minute}, {99, false, 10 * time.Minute}} {
		if got := pace(s, tt.failures, tt.trouble); !near(got, tt.want) {
			t.Errorf("%+v: %v", tt, got)
		}
	}
	if got := pace(snmpSettings{interval: 24 * time.Hour}, 5, false); !near(got, 24*time.Hour) {
		t.Errorf("a long interval became %v", got)
	}
}

func (b *bench) bidi(p *port, action string, schemas ...string) []spool.BidiResponse {
	b.Helper()
	var requests []spool.BidiRequest
	for i, s := range schemas {
		requests = append(requests, spool.BidiRequest{Number: uint32(i + 1), Schema: s})
	}
	answers, err := p.SendRecvBidiData(b.Context(), spool.BidiAccessUser, action, requests)
	if err != nil {
		b.Fatal(err)
	}
	return answers
}

func TestBidi(t *testing.T) {
	b := newBench(t)
	agent := snmptest.New(t, snmptest.Printer())
	dev, _ := sink(t)
	p := b.open("lp1", dev.snmp(agent))
	tests := []struct {
		schema string
		kind   spool.BidiType
		value  string
		result spoolerr.Code
	}{
		{`\Printer.DeviceInfo:FriendlyName`, spool.BidiString, "Office", 0},
		{`\Printer.DeviceInfo:ModelName`, spool.BidiString, "Acme LaserMatic 9", 0},
		{`\Printer.Consumables.BlackToner:Level`, spool.BidiInt, "25", 0},
		{`\printer.consumables.blacktoner:installed`, spool.BidiBool, "true", 0},
		{`\Printer.Consumables.WasteToner:Model`, spool.BidiString, "Waste Toner Bottle", 0},
		{`\Printer.Consumables.WasteToner:Level`, 0, "", spoolerr.CodeBidiSchemaNotSupported},
		{`\Printer.Layout.InputBins.Tray1:Level`, spool.BidiInt, "125", 0},
		{`\Printer.Layout.InputBins.Tray2:Capacity`, spool.BidiInt, "500", 0},
		{`\Printer.Status.Summary:State`, spool.BidiString, "Idle", 0},
		{`\Printer.Extension.Device:SerialNumber`, spool.BidiString, "SN-42", 0},
		{`\Printer.Extension.Console:Text`, spool.BidiString, "Ready", 0},
		{`\Printer.Extension.Device:Impressions`, spool.BidiInt, "12345", 0},
		{`\Printer.Coffee:Level`, 0, "", spoolerr.CodeNoData},
		{``, 0, "", spoolerr.CodeNoData},
	}
	var schemas []string
	for _, tt := range tests {
		schemas = append(schemas, tt.schema)
	}
	answers := b.bidi(p, spool.BidiGet, schemas...)
	if len(answers) != len(tests) {
		t.Fatalf("%d answers for %d questions", len(answers), len(tests))
	}
	for i, tt := range tests {
		a := answers[i]
		if a.Number != uint32(i+1) || a.Result != uint32(tt.result) || a.Data.Type != tt.kind || a.Data.String() != tt.value {
			t.Errorf("%s: %+v %q", tt.schema, a, a.Data)
		}
	}
	if a := b.bidi(p, spool.BidiGetAll, `\Printer.Consumables`); len(a) != 8 {
		t.Errorf("%d values of consumables: %v", len(a), a)
	}
	if a := b.bidi(p, spool.BidiGetAll, `\Printer.Consumables.BlackTon`); len(a) != 1 || a[0].Result == 0 {
		t.Errorf("%v", a)
	}
	a := b.bidi(p, spool.BidiEnumSchema)
	if len(a) != 1 || a[0].Data.Type != spool.BidiText || strings.Count(a[0].Data.String(), "\n") != len(b.bidi(p, spool.BidiGetAll, `\Printer`)) {
		t.Errorf("%v", a)
	}
	if a := b.bidi(p, spool.BidiSet, `\Printer.DeviceInfo:Location`); len(a) != 1 || a[0].Result != uint32(spoolerr.CodeBidiSchemaReadOnly) {
		t.Errorf("%v", a)
	}
}

func TestBidiRefusals(t *testing.T) {
	b := newBench(t)
	agent := snmptest.New(t, snmptest.Printer())
	dev, _ := sink(t)
	p := b.open("lp1", dev.snmp(agent))
	_, err := p.SendRecvBidiData(t.Context(), 0, spool.BidiGet, nil)
	montest.WantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidParameter)
	_, err = p.SendRecvBidiData(t.Context(), 0, "Brew", nil)
	montest.WantError(t, err, spoolerr.Unsupported, spoolerr.CodeNotSupported, "Brew")
	if err := b.admin(portconfig.ConfigPort, portconfig.Encode("lp1", map[string]string{"snmp": "false"})); err != nil {
		t.Fatal(err)
	}
	_, err = p.SendRecvBidiData(t.Context(), 0, spool.BidiEnumSchema, nil)
	montest.WantError(t, err, spoolerr.Unsupported, spoolerr.CodeNotSupported, "snmp=true")
}
