package tcpxcv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// golden lays bytes out by hand, from the published offsets and not from the package's own.
type golden []byte

func (g golden) text(off int, s string) golden {
	for i, r := range s {
		binary.LittleEndian.PutUint16(g[off+2*i:], uint16(r))
	}
	return g
}

func (g golden) number(off int, n uint32) golden {
	binary.LittleEndian.PutUint32(g[off:], n)
	return g
}

func golden1() golden {
	return make(golden, 964).text(0, "IP_10.0.0.5").number(128, 1).number(132, 2).number(136, 964).
		text(144, "printer.example").text(242, "public").number(308, 1).text(312, "lp").text(378, "10.0.0.5").
		text(410, "00C0FF123456").text(436, "Generic").number(952, 515).number(956, 1).number(960, 3)
}

func data1() PortData {
	return PortData{
		Version: 1, PortName: "IP_10.0.0.5", Protocol: ProtocolLPR, HostAddress: "printer.example", SNMPCommunity: "public",
		DoubleSpool: true, Queue: "lp", IPAddress: "10.0.0.5", HardwareAddress: "00C0FF123456", DeviceType: "Generic",
		PortNumber: 515, SNMPEnabled: true, SNMPDevIndex: 3,
	}
}

func golden2() golden {
	return make(golden, 1068).text(0, "IP_10.0.0.5").number(128, 2).number(132, 1).number(136, 1068).
		text(144, strings.Repeat("h", 127)).text(400, "secret").number(468, 1).text(472, "q").text(538, "Laser").
		number(1052, 9100).number(1056, 1).number(1060, 4).number(1064, 5)
}

func data2() PortData {
	return PortData{
		Version: 2, PortName: "IP_10.0.0.5", Protocol: ProtocolRaw, HostAddress: strings.Repeat("h", 127), SNMPCommunity: "secret",
		DoubleSpool: true, Queue: "q", DeviceType: "Laser", PortNumber: 9100, SNMPEnabled: true, SNMPDevIndex: 4, PortMonitorMibIndex: 5,
	}
}

func TestPortDataGolden(t *testing.T) {
	for _, tt := range []struct {
		bytes golden
		data  PortData
	}{{golden1(), data1()}, {golden2(), data2()}} {
		out, err := tt.data.Encode()
		if err != nil || !bytes.Equal(out, tt.bytes) {
			t.Errorf("version %d: encoded differently, %v", tt.data.Version, err)
		}
		if d, err := DecodePortData(tt.bytes); err != nil || d != tt.data {
			t.Errorf("version %d: %+v, %v", tt.data.Version, d, err)
		}
	}
}

func TestOtherStructuresGolden(t *testing.T) {
	want := make(golden, 236).text(0, "lp1").text(128, "NTPRINT").number(228, 1)
	d := DeletePort{PortName: "lp1", Server: "NTPRINT"}
	if out, err := d.Encode(); err != nil || !bytes.Equal(out, want) {
		t.Errorf("DELETE_PORT_DATA_1: %v", err)
	}
	if got, err := DecodeDeletePort(want); err != nil || got != d {
		t.Errorf("%+v %v", got, err)
	}
	want = make(golden, 132).text(0, "lp1").number(128, 2)
	c := ConfigInfo{PortName: "lp1", Version: 2}
	if out, err := c.Encode(); err != nil || !bytes.Equal(out, want) {
		t.Errorf("CONFIG_INFO_DATA_1: %v", err)
	}
	if got, err := DecodeConfigInfo(want); err != nil || got != c {
		t.Errorf("%+v %v", got, err)
	}
}

func TestRefused(t *testing.T) {
	full := strings.Repeat("x", 64)
	tests := []struct {
		what string
		in   []byte
		code spoolerr.Code
	}{
		{"nothing", nil, spoolerr.CodeInvalidData},
		{"one byte short", golden1()[:963], spoolerr.CodeInvalidData},
		{"one byte long", append(golden1(), 0), spoolerr.CodeInvalidData},
		{"version 2 in the size of 1", golden1().number(128, 2), spoolerr.CodeInvalidData},
		{"version 0", golden1().number(128, 0), spoolerr.CodeInvalidLevel},
		{"version 3", golden2().number(128, 3), spoolerr.CodeInvalidLevel},
		{"Size", golden1().number(136, 963), spoolerr.CodeInvalidData},
		{"Reserved", golden1().number(140, 1), spoolerr.CodeInvalidData},
		{"no NUL in PortName", golden1().text(0, full), spoolerr.CodeInvalidData},
		{"no NUL in Queue", golden1().text(312, full[:33]), spoolerr.CodeInvalidData},
		{"half a surrogate pair", golden1().text(144, "a\uffff").number(146, 0xd800), spoolerr.CodeInvalidData},
		{"a BOOL of 2", golden1().number(956, 2), spoolerr.CodeInvalidData},
	}
	for _, tt := range tests {
		if d, err := DecodePortData(tt.in); !errors.Is(err, spoolerr.Invalid) || !errors.Is(err, tt.code) {
			t.Errorf("%s: %+v, %v", tt.what, d, err)
		}
	}
	if _, err := DecodeDeletePort(make([]byte, 236)); !errors.Is(err, spoolerr.CodeInvalidLevel) {
		t.Errorf("DELETE_PORT_DATA version 0: %v", err)
	}
	if _, err := DecodeDeletePort(make([]byte, 128)); !errors.Is(err, spoolerr.CodeInvalidData) {
		t.Errorf("short DELETE_PORT_DATA: %v", err)
	}
	if _, err := DecodeConfigInfo(make([]byte, 132)); !errors.Is(err, spoolerr.CodeInvalidLevel) {
		t.Errorf("CONFIG_INFO_DATA version 0: %v", err)
	}
	if _, err := DecodeConfigInfo(make([]byte, 131)); !errors.Is(err, spoolerr.CodeInvalidData) {
		t.Errorf("short CONFIG_INFO_DATA: %v", err)
	}
	long := data1()
	long.HostAddress = strings.Repeat("h", 49)
	if _, err := long.Encode(); !errors.Is(err, spoolerr.CodeInvalidData) || !strings.Contains(err.Error(), "48") {
		t.Errorf("a host that does not fit: %v", err)
	}
	long.Version = 2
	if _, err := long.Encode(); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(golden1()))
	f.Add([]byte(golden2()))
	f.Add(make([]byte, 236))
	f.Add(make([]byte, 132))
	f.Fuzz(func(t *testing.T, in []byte) {
		if d, err := DecodePortData(in); err == nil {
			again(t, d, PortData.Encode, DecodePortData)
		}
		if d, err := DecodeDeletePort(in); err == nil {
			again(t, d, DeletePort.Encode, DecodeDeletePort)
		}
		if c, err := DecodeConfigInfo(in); err == nil {
			again(t, c, ConfigInfo.Encode, DecodeConfigInfo)
		}
	})
}

func again[T comparable](t *testing.T, v T, encode func(T) ([]byte, error), decode func([]byte) (T, error)) {
	out, err := encode(v)
	if err != nil {
		t.Fatalf("%+v cannot be written: %v", v, err)
	}
	if second, err := decode(out); err != nil || second != v {
		t.Errorf("%+v became %+v, %v", v, second, err)
	}
}
