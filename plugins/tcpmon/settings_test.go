package tcpmon

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/plugins/internal/netport"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/plugins/internal/tcpxcv"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestDefaults(t *testing.T) {
	s, err := parse(portconfig.Config{Name: "lp1", Settings: map[string]string{"host": "printer"}})
	want := settings{
		Remote:   netport.Remote{Host: "printer", Port: 9100, ConnectTimeout: 10 * time.Second, KeepAlive: 30 * time.Second},
		protocol: tcpxcv.ProtocolRaw, writeTimeout: 30 * time.Second, closeTimeout: 60 * time.Second,
		snmp: snmpSettings{community: "public", index: 1, port: 161, version: "2c", interval: time.Minute},
	}
	if err != nil || s != want {
		t.Errorf("%+v, %v; want %+v", s, err, want)
	}
}

func TestSettingsRefused(t *testing.T) {
	tests := []struct{ key, value, says string }{
		{"host", "", "setting host is missing"},
		{"host", "a b", "give a host name"},
		{"port", "0", "from 1 to 65535"},
		{"port", "65536", "from 1 to 65535"},
		{"port", "lpd", "from 1 to 65535"},
		{"connectTimeout", "0", "10s"},
		{"connectTimeout", "10", "with its unit"},
		{"writeTimeout", "1500us", "with its unit"},
		{"writeTimeout", "2h", "1h0m0s"},
		{"closeTimeout", "-1s", "from 0s"},
		{"keepAlive", "1500ms", "whole seconds"},
		{"snmp", "public", "true or false"},
		{"snmpVersion", "3", "1 or 2c"},
		{"snmpCommunity", "p\u00fcblic", "32 printable"},
		{"snmpInterval", "1ms", "1s"},
		{"protocol", "ipp", "raw or lpr"},
		{"queue", "a b", "without blanks"},
		{"deviceType", strings.Repeat("x", 257), "256"},
		{"colour", "red", "byteCounting, closeTimeout, connectTimeout, deviceType, host, keepAlive, port, protocol, queue, snmp"},
	}
	for _, tt := range tests {
		c := portconfig.Config{Name: "lp1", Settings: map[string]string{"host": "printer"}}
		c.Settings[tt.key] = tt.value
		_, err := parse(c)
		montest.WantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidData, `"lp1"`, tt.key, tt.says)
	}
}

func TestSettingsSurviveTheRegistry(t *testing.T) {
	b := newBench(t)
	given := map[string]string{
		"host": "[fe80::1%eth0]", "port": "9101", "connectTimeout": "2s", "writeTimeout": "1m30s", "closeTimeout": "0", "keepAlive": "0",
	}
	if err := b.admin(portconfig.AddPort, portconfig.Encode("HALL/lp 1", given)); err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(given)
	want["host"], want["closeTimeout"], want["keepAlive"] = "fe80::1%eth0", "0s", "0s"
	want["protocol"], want["byteCounting"] = "raw", "false"
	want["snmp"], want["snmpCommunity"], want["snmpIndex"] = "false", "public", "1"
	want["snmpPort"], want["snmpVersion"], want["snmpInterval"] = "161", "2c", "1m0s"
	got := b.config("hall/LP 1")
	if !maps.Equal(got.Settings, want) {
		t.Errorf("got %v, want %v", got.Settings, want)
	}
	infos, err := b.mon.EnumPorts(t.Context())
	wantInfo := spool.PortInfo{Name: "HALL/lp 1", Description: "raw [fe80::1%eth0]:9101", Type: spool.PortTypeWrite | spool.PortTypeNetAttached}
	if err != nil || len(infos) != 1 || infos[0] != wantInfo {
		t.Errorf("%v %v", infos, err)
	}
}

// What Windows leaves in the registry, or an operator wrote, is read with defaults; what
// is damaged is shown, and hides no other port.
func TestHandWrittenRegistry(t *testing.T) {
	b := newBench(t)
	b.write("good", registry.String("HostName", "printer"))
	b.write("lpr", registry.String("HostName", "printer"), registry.Uint32("Protocol", 3))
	b.write("typed", registry.String("HostName", "printer"), registry.String("PortNumber", "9100"))
	b.write("noport", registry.String("HostName", "printer"), registry.Uint64("PortNumber", 1<<40))
	b.write("nohost", registry.Uint32("PortNumber", 9100))
	b.write("half")
	infos, err := b.mon.EnumPorts(t.Context())
	if err != nil || len(infos) != 5 {
		t.Fatalf("%v %v", infos, err)
	}
	for _, info := range infos {
		if damaged := strings.HasPrefix(info.Description, "damaged: "); damaged != (info.Name != "good") {
			t.Errorf("%+v", info)
		}
		if _, err := b.mon.OpenPort(t.Context(), info.Name); (err == nil) != (info.Name == "good") {
			t.Errorf("open %s: %v", info.Name, err)
		}
	}
	if _, err := b.mon.OpenPort(t.Context(), "half"); !errors.Is(err, spoolerr.CodeUnknownPort) {
		t.Errorf("half a port opens: %v", err)
	}
	// ConfigPort is the repair.
	err = b.admin(portconfig.ConfigPort, portconfig.Encode("typed", map[string]string{"host": "new"}))
	if err != nil || b.config("typed").Settings["port"] != "9100" {
		t.Errorf("repair: %v", err)
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("10.0.0.5", "9100", "10s", "0")
	f.Add("[::1]", "", "1h", "30s")
	f.Add("a.b:1", "x", "-1s", "1ns")
	f.Fuzz(func(t *testing.T, host, port, timeout, keep string) {
		c := portconfig.Config{Name: "p", Settings: map[string]string{"host": host, "port": port, "writeTimeout": timeout, "keepAlive": keep}}
		values, err := codec{}.Values(c)
		if err != nil {
			return
		}
		first, _ := parse(c)
		c.Settings, err = codec{}.Settings(stored(t, values))
		if err != nil {
			t.Fatal(err)
		}
		if second, err := parse(c); err != nil || second != first {
			t.Errorf("%+v became %+v, %v", first, second, err)
		}
	})
}

// stored puts values through a registry.
func stored(t *testing.T, values []registry.Value) (s ports.Stored) {
	b := ports.NewBook(montest.NewHost().Registry.Root(), capture{codec{}, values, &s})
	if err := b.Add(t.Context(), portconfig.Config{Name: "p"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Config(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	return s
}

type capture struct {
	codec
	values []registry.Value
	into   *ports.Stored
}

func (c capture) Values(portconfig.Config) ([]registry.Value, error) { return c.values, nil }
func (c capture) Usual() []registry.Value                            { return nil }
func (c capture) Settings(s ports.Stored) (map[string]string, error) {
	*c.into = s
	return nil, nil
}

// TestUsualSettings: of a new port only what is unusual is stored, and it reads as if all
// were; what is set back to the usual later is what it says.
func TestUsualSettings(t *testing.T) {
	b := newBench(t)
	all, err := codec{}.Values(portconfig.Config{Name: "p", Settings: map[string]string{"host": "h"}})
	if err != nil {
		t.Fatal(err)
	}
	full, err := codec{}.Settings(stored(t, all))
	if err != nil || len(full) != len(all)-2 { // queue and deviceType are empty
		t.Fatalf("%d settings of %d values: %v, %v", len(full), len(all), full, err)
	}
	few := slices.DeleteFunc(slices.Clone(all), func(v registry.Value) bool {
		return slices.ContainsFunc(codec{}.Usual(), func(u registry.Value) bool { return u.Name == v.Name })
	})
	if sparse, err := (codec{}).Settings(stored(t, few)); err != nil || !maps.Equal(sparse, full) || len(few) != 3 {
		t.Errorf("of %v: %v, %v, want %v", few, sparse, err, full)
	}
	if err := b.admin(portconfig.AddPort, portconfig.Encode("p", map[string]string{"host": "h", "keepAlive": "5s"})); err != nil {
		t.Fatal(err)
	}
	for _, keep := range []string{"5s", "30s", "0s"} {
		if keep != "5s" {
			if err := b.admin(portconfig.ConfigPort, portconfig.Encode("p", map[string]string{"keepAlive": keep})); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.config("p").Settings; got["keepAlive"] != keep || len(got) != len(full) {
			t.Errorf("keepAlive %s: %v", keep, got)
		}
	}
}
