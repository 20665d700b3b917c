package tcpmon

import (
	"encoding/json"
	"errors"
	"testing"

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
		{"PORT_DATA_1", "AddPort", 1, make([]byte, 964), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"unknown setting", "AddPort", 1, portconfig.Encode("new", map[string]string{"host": "a", "x": "y"}), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"empty name", "AddPort", 1, portconfig.Encode("", map[string]string{"host": "a"}), spoolerr.Invalid, spoolerr.CodeInvalidName},
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
			wantError(t, err, tt.kind, tt.code)
			if infos, _ := b.mon.EnumPorts(t.Context()); len(infos) != 1 || infos[0].Description != "raw printer:9100" {
				t.Errorf("a refused call changed the ports: %v", infos)
			}
		})
	}
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
	wantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidParameter, "lp1", "lp2")
	_, err = b.xcv(1, "lp3", portconfig.GetConfigInfo, nil)
	wantError(t, err, spoolerr.NotFound, spoolerr.CodeUnknownPort, "lp3")
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
		wantError(t, b.admin(portconfig.DeletePort, in), spoolerr.Busy, spoolerr.CodeBusy, "LP1", "printers")
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
