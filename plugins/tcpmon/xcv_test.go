package tcpmon

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/plugins/internal/tcpxcv"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func (b *bench) config(name string) (c portconfig.Config) {
	b.Helper()
	out, err := b.xcv(0, "", portconfig.GetConfigInfo, portconfig.Encode(name, nil))
	if err == nil {
		err = json.Unmarshal(out, &c)
	}
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// write makes a port behind the monitor's back.
func (b *bench) write(name string, values ...registry.Value) {
	b.Helper()
	k, _, err := b.host.Registry.Root().CreateKey(b.Context(), `Ports\`+name)
	if err == nil {
		err = errors.Join(k.SetValue(b.Context(), values...), k.CloseKey(b.Context()))
	}
	if err != nil {
		b.Fatal(err)
	}
}

func TestXcvRefusals(t *testing.T) {
	good := portconfig.Encode("new", map[string]string{"host": "printer"})
	tests := []struct {
		what, name string
		granted    spool.Access
		in         []byte
		kind       spoolerr.Kind
		code       spoolerr.Code
	}{
		{"no right to add", "AddPort", spool.ServerAccessEnumerate, good, spoolerr.Denied, spoolerr.CodeAccessDenied},
		{"no right to configure", "ConfigPort", 0, good, spoolerr.Denied, spoolerr.CodeAccessDenied},
		{"no right to delete", "DeletePort", 0, good, spoolerr.Denied, spoolerr.CodeAccessDenied},
		{"unknown data name", "AddPortEx", 1, good, spoolerr.Invalid, spoolerr.CodeInvalidParameter},
		{"no data name", "", 1, nil, spoolerr.Invalid, spoolerr.CodeInvalidParameter},
		{"no input", "AddPort", 1, nil, spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"not JSON", "AddPort", 1, []byte("new"), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"version 0", "AddPort", 1, make([]byte, 964), spoolerr.Invalid, spoolerr.CodeInvalidLevel},
		{"short PORT_DATA_1", "AddPort", 1, portData("new", "a")[:963], spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"PORT_DATA_1 without the right", "AddPort", 0, portData("new", "a"), spoolerr.Denied, spoolerr.CodeAccessDenied},
		{"PORT_DATA_1 without a name", "AddPort", 1, portData("", "a"), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"PORT_DATA_1 without a host", "AddPort", 1, portData("new", ""), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"PORT_DATA_1 of a port that exists", "AddPort", 1, portData("LP1", "a"), spoolerr.Exists, spoolerr.CodeAlreadyExists},
		{"DELETE_PORT_DATA_1 version 0", "DeletePort", 1, make([]byte, 236), spoolerr.Invalid, spoolerr.CodeInvalidLevel},
		{"short DELETE_PORT_DATA_1", "DeletePort", 1, make([]byte, 235), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"CONFIG_INFO_DATA_1 version 3", "GetConfigInfo", 0, configInfo(3), spoolerr.Invalid, spoolerr.CodeInvalidLevel},
		{"CONFIG_INFO_DATA_1 on the monitor", "GetConfigInfo", 0, configInfo(1), spoolerr.BadHandle, spoolerr.CodeInvalidHandle},
		{"unknown setting", "AddPort", 1, portconfig.Encode("new", map[string]string{"host": "a", "x": "y"}), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"empty name", "AddPort", 1, portconfig.Encode("", map[string]string{"host": "a"}), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"backslash", "AddPort", 1, portconfig.Encode(`a\b`, map[string]string{"host": "a"}), spoolerr.Invalid, spoolerr.CodeInvalidName},
		{"comma", "AddPort", 1, portconfig.Encode(`a,b`, map[string]string{"host": "a"}), spoolerr.Invalid, spoolerr.CodeInvalidName},
		{"duplicate", "AddPort", 1, portconfig.Encode("LP1", map[string]string{"host": "a"}), spoolerr.Exists, spoolerr.CodeAlreadyExists},
		{"configure unknown", "ConfigPort", 1, good, spoolerr.NotFound, spoolerr.CodeUnknownPort},
		{"configure nonsense", "ConfigPort", 1, portconfig.Encode("lp1", map[string]string{"port": "x"}), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"delete unknown", "DeletePort", 1, portconfig.Encode("new", nil), spoolerr.NotFound, spoolerr.CodeUnknownPort},
		{"delete the root", "DeletePort", 1, portconfig.Encode("", nil), spoolerr.NotFound, spoolerr.CodeUnknownPort},
		{"delete by path", "DeletePort", 1, portconfig.Encode(`..\lp1`, nil), spoolerr.NotFound, spoolerr.CodeUnknownPort},
		{"delete half a string", "DeletePort", 1, []byte("lp1\x00"), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"info of unknown", "GetConfigInfo", 0, portconfig.Encode("new", nil), spoolerr.NotFound, spoolerr.CodeUnknownPort},
		{"info of nothing", "GetConfigInfo", 0, nil, spoolerr.Invalid, spoolerr.CodeInvalidData},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			b := newBench(t)
			b.write("lp1", registry.String("HostName", "printer"))
			_, err := b.xcv(tt.granted, "", tt.name, tt.in)
			montest.WantError(t, err, tt.kind, tt.code)
			if infos, _ := b.mon.EnumPorts(t.Context()); len(infos) != 1 || infos[0].Description != "raw printer:9100" {
				t.Errorf("a refused call changed the ports: %v", infos)
			}
		})
	}
}

// portData is PORT_DATA_1 for raw printing.
func portData(name, host string) []byte {
	out, _ := tcpxcv.PortData{Version: 1, PortName: name, Protocol: tcpxcv.ProtocolRaw, HostAddress: host}.Encode()
	return out
}

func configInfo(version uint32) []byte {
	out, _ := tcpxcv.ConfigInfo{Version: version}.Encode()
	return out
}

// What Windows' tools do: add by structure, ask for either version, change, delete.
func TestWindowsStructures(t *testing.T) {
	b := newBench(t)
	given := tcpxcv.PortData{
		Version: 2, PortName: "IP_1", Protocol: tcpxcv.ProtocolLPR, HostAddress: "10.0.0.5", Queue: "lp", DoubleSpool: true,
		SNMPEnabled: true, SNMPCommunity: "secret", SNMPDevIndex: 2, DeviceType: "Generic", PortNumber: 515,
	}
	in, err := given.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.admin(portconfig.AddPort, in); err != nil {
		t.Fatal(err)
	}
	if got := b.portData("IP_1", 2); got != given {
		t.Errorf("got %+v, want %+v", got, given)
	}
	as1 := given
	as1.Version, as1.IPAddress = 1, "10.0.0.5"
	if got := b.portData("IP_1", 1); got != as1 {
		t.Errorf("got %+v, want %+v", got, as1)
	}
	if err := b.admin(portconfig.ConfigPort, portData("IP_1", "printer")); err != nil {
		t.Fatal(err)
	}
	if s := b.config("IP_1").Settings; s["protocol"] != "raw" || s["port"] != "9100" || s["host"] != "printer" || s["snmpCommunity"] != "secret" {
		t.Errorf("%v", s)
	}
	in, _ = tcpxcv.DeletePort{PortName: "ip_1"}.Encode()
	if err := b.admin(portconfig.DeletePort, in); err != nil {
		t.Fatal(err)
	}
	if infos, _ := b.mon.EnumPorts(t.Context()); len(infos) != 0 {
		t.Errorf("%v", infos)
	}
}

func (b *bench) portData(name string, version uint32) tcpxcv.PortData {
	b.Helper()
	out, err := b.xcv(0, name, portconfig.GetConfigInfo, configInfo(version))
	if err != nil {
		b.Fatal(err)
	}
	d, err := tcpxcv.DecodePortData(out)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func TestDocumentedNames(t *testing.T) {
	b := newBench(t)
	in := portconfig.Encode("lp1", map[string]string{"host": "localhost", "snmp": "true", "snmpCommunity": "c", "snmpIndex": "7"})
	if err := b.admin(portconfig.AddPort, in); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{
		"HostAddress": portconfig.EncodeText("localhost"), "SNMPCommunity": portconfig.EncodeText("c"),
		"SNMPDeviceIndex": {7, 0, 0, 0}, "SNMPEnabled": {1, 0, 0, 0},
	} {
		if out, err := b.xcv(0, "lp1", name, nil); err != nil || !bytes.Equal(out, want) {
			t.Errorf("%s: %x %v", name, out, err)
		}
	}
	out, err := b.xcv(0, "lp1", "IPAddress", nil)
	if s, _ := portconfig.DecodeText(out); err != nil || s != "127.0.0.1" && s != "::1" {
		t.Errorf("IPAddress %q %v", s, err)
	}
	_, err = b.xcv(0, "", "HostAddress", nil)
	montest.WantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidData)
}

func TestPortChannel(t *testing.T) {
	b := newBench(t)
	b.write("lp1", registry.String("HostName", "one"))
	b.write("lp2", registry.String("HostName", "two"))
	if out, err := b.xcv(0, "LP1", portconfig.GetConfigInfo, nil); err != nil || string(out) != `{"name":"LP1","settings":{"host":"one"}}` {
		t.Errorf("%s %v", out, err)
	}
	if _, err := b.xcv(1, "lp1", portconfig.ConfigPort, portconfig.Encode("", map[string]string{"port": "1"})); err != nil {
		t.Error(err)
	}
	_, err := b.xcv(1, "lp1", portconfig.DeletePort, portconfig.Encode("lp2", nil))
	montest.WantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidParameter, "lp1", "lp2")
	_, err = b.xcv(1, "lp3", portconfig.GetConfigInfo, nil)
	montest.WantError(t, err, spoolerr.NotFound, spoolerr.CodeUnknownPort, "lp3")
	if s := b.config("lp1").Settings; s["port"] != "1" || s["host"] != "one" {
		t.Errorf("%v", s)
	}
}

func TestMonitorUI(t *testing.T) {
	out, err := newBench(t).xcv(0, "", portconfig.MonitorUI, nil)
	if name, derr := portconfig.DecodeText(out); err != nil || derr != nil || name != "tcpmonui" {
		t.Errorf("%q %v %v", name, err, derr)
	}
}

func TestDeletePort(t *testing.T) {
	for _, in := range [][]byte{portconfig.Encode("LP1", nil), portconfig.EncodeText("LP1")} {
		b := newBench(t)
		p := b.open("lp1", map[string]string{"host": "printer"})
		montest.WantError(t, b.admin(portconfig.DeletePort, in), spoolerr.Busy, spoolerr.CodeBusy, "LP1", "printers")
		p.Close(t.Context())
		if err := b.admin(portconfig.DeletePort, in); err != nil {
			t.Fatal(err)
		}
		if infos, err := b.mon.EnumPorts(t.Context()); err != nil || len(infos) != 0 {
			t.Errorf("%v %v", infos, err)
		}
	}
}

func TestConfigPortEmptyValueIsTheDefault(t *testing.T) {
	b := newBench(t)
	b.write("lp1", registry.String("HostName", "printer"), registry.Uint32("PortNumber", 9101))
	if err := b.admin(portconfig.ConfigPort, portconfig.Encode("lp1", map[string]string{"port": ""})); err != nil {
		t.Fatal(err)
	}
	if port := b.config("lp1").Settings["port"]; port != "9100" {
		t.Errorf("port %s", port)
	}
}

func FuzzXcv(f *testing.F) {
	for _, name := range []string{"AddPort", "ConfigPort", "DeletePort", "GetConfigInfo", "MonitorUI", "X"} {
		f.Add(name, "", portconfig.Encode("lp1", map[string]string{"host": "a"}))
		f.Add(name, "lp1", portconfig.EncodeText("lp1"))
		f.Add(name, `..\x`, make([]byte, 964))
		f.Add(name, "", portData("new", "a"))
		f.Add(name, "lp1", configInfo(2))
	}
	f.Fuzz(func(t *testing.T, name, object string, in []byte) {
		b := newBench(t)
		b.write("lp1", registry.String("HostName", "printer"))
		b.xcv(spool.ServerAccessAdminister, object, name, in)
		infos, err := b.mon.EnumPorts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range infos {
			if err := spool.CheckPortName(info.Name); err != nil {
				t.Error(err)
			}
			if _, err := parse(b.config(info.Name)); err != nil {
				t.Error(err)
			}
		}
	})
}
