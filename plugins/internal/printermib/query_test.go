package printermib

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gosnmp/gosnmp"
	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/plugins/internal/printermib/snmptest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func agentOf(a *snmptest.Agent) Agent {
	return Agent{Host: "127.0.0.1", Port: a.Port(), Community: snmptest.Community, Index: 1, Timeout: 5 * time.Second}
}

func TestQuery(t *testing.T) {
	want := State{
		Name: "Office", Model: "Acme LaserMatic 9", Serial: "SN-42", Location: "Hall", Device: DeviceRunning, Printer: PrinterIdle,
		Supplies: []Supply{
			{Description: "Black Cartridge X42", Color: "black", Type: 3, Level: 25},
			{Description: "Waste Toner Bottle", Type: 4, Waste: true, Level: -1},
		},
		Inputs:  []Input{{Name: "Tray 1", Media: "iso-a4-white", Capacity: 250, Level: 125}, {Name: "Tray 2", Capacity: 500, Level: -1}},
		Console: []string{"Ready"}, Impressions: 12345,
	}
	for _, v1 := range []bool{false, true} {
		a := agentOf(snmptest.New(t, snmptest.Printer()))
		a.V1 = v1
		got, err := Query(t.Context(), a)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("v1 %v: %v\n got %+v\nwant %+v", v1, err, got, want)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	agent := snmptest.New(t, snmptest.Printer())
	a := agentOf(agent)
	a.Community, a.Timeout = "wrong", 20*time.Millisecond
	_, err := Query(t.Context(), a)
	if !errors.Is(err, spoolerr.Unavailable) || !errors.Is(err, spoolerr.CodeBidiDeviceOffline) || !strings.Contains(err.Error(), "snmpCommunity") {
		t.Error(err)
	}
	a.Timeout = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	before := agent.Asked()
	go func() {
		_, err := Query(ctx, a)
		failed <- err
	}()
	montest.Until(t, "the agent is asked", func() bool { return agent.Asked() != before })
	cancel()
	if err := <-failed; !errors.Is(err, spoolerr.Cancelled) {
		t.Error(err)
	}
}

// An agent that never stops answering is bounded.
func TestEndlessAgent(t *testing.T) {
	values := snmptest.Printer()
	for i := range 2 * mostRows {
		values["1.3.6.1.2.1.43.16.5.1.2.1."+strings.Repeat("1.", i%3)+itoa(i)] = strings.Repeat("x", 1000)
	}
	s, err := Query(t.Context(), agentOf(snmptest.New(t, values)))
	if err != nil || len(s.Console) > mostRows || len(s.Console[1]) > 127 {
		t.Errorf("%d lines, %v", len(s.Console), err)
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func TestCondition(t *testing.T) {
	tests := []struct {
		what   string
		octets string
		device DeviceStatus
		want   spool.PortStatus
	}{
		{"nothing", "\x00", DeviceRunning, spool.PortStatus{}},
		{"no octets", "", DeviceDown, spool.PortStatus{}},
		{"paper out", "\x40", DeviceDown, spool.PortStatus{Code: spool.PortStatusPaperOut, Severity: spool.SeverityError, Text: "out of paper"}},
		{"paper out, silent device", "\x40\x00", 0, spool.PortStatus{Code: spool.PortStatusPaperOut, Severity: spool.SeverityError, Text: "out of paper"}},
		{"paper out in one of two", "\x40", DeviceWarning, spool.PortStatus{Code: spool.PortStatusPaperOut, Severity: spool.SeverityWarning, Text: "out of paper"}},
		{"jam and toner low", "\x24", DeviceDown, spool.PortStatus{Code: spool.PortStatusPaperJam, Severity: spool.SeverityError, Text: "paper jam, toner low"}},
		{"toner low", "\x20", DeviceDown, spool.PortStatus{Code: spool.PortStatusTonerLow, Severity: spool.SeverityWarning, Text: "toner low"}},
		{"door", "\x08", DeviceDown, spool.PortStatus{Code: spool.PortStatusDoorOpen, Severity: spool.SeverityError, Text: "door open"}},
		{"offline", "\x02", DeviceDown, spool.PortStatus{Code: spool.PortStatusOffline, Severity: spool.SeverityError, Text: "offline"}},
		{"second octet", "\x00\x08", DeviceDown, spool.PortStatus{Code: spool.PortStatusOutputBinFull, Severity: spool.SeverityError, Text: "output bin full"}},
		{"too many octets", "\x00\x00\xff\xff", DeviceDown, spool.PortStatus{}},
	}
	for _, tt := range tests {
		s := State{Device: tt.device, Errors: errorState(gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: []byte(tt.octets)})}
		if got := s.Condition(); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.what, got, tt.want)
		}
	}
	s := State{Errors: Jammed, Console: []string{"JAM", "Tray 2"}}
	if text := s.Condition().Text; text != `paper jam (the panel shows "JAM Tray 2")` {
		t.Error(text)
	}
}

func FuzzBuilder(f *testing.F) {
	f.Add(".1.3.6.1.2.1.43.11.1.1.9.1.1", byte(gosnmp.Integer), int64(1<<40), "")
	f.Add(".1.3.6.1.2.1.43.8.2.1.13.1.99999999999", byte(gosnmp.OctetString), int64(0), "\xff\n")
	f.Add(".1.3.6.1.2.1.25.3.5.1.2.1", byte(gosnmp.OctetString), int64(0), "\xff\xff")
	f.Fuzz(func(t *testing.T, name string, kind byte, n int64, text string) {
		b := newBuilder(1)
		for _, subtree := range []string{oidPrinterStatus, oidErrorState, oidDeviceStatus, oidSupplies, oidInput, oidConsole, oidAlert, oidColorant, oidLifeCount, oidSysName} {
			for _, v := range []any{n, int(n), uint(n), []byte(text), text, nil} {
				b.take(subtree, gosnmp.SnmpPDU{Name: name, Type: gosnmp.Asn1BER(kind), Value: v})
				b.take(subtree, gosnmp.SnmpPDU{Name: subtree + name, Type: gosnmp.Asn1BER(kind), Value: v})
			}
		}
		s := b.state()
		if c := s.Condition(); !utf8.ValidString(c.Text) || c.Severity > spool.SeverityInfo {
			t.Errorf("%+v", c)
		}
		for _, supply := range s.Supplies {
			if supply.Level < -1 || supply.Level > 100 {
				t.Errorf("%+v", supply)
			}
		}
	})
}
