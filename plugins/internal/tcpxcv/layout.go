package tcpxcv

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The protocols of PORT_DATA.
const (
	ProtocolUnknown uint32 = 0
	ProtocolRaw     uint32 = 1
	ProtocolLPR     uint32 = 2
)

// The sizes of the structures, in bytes.
const (
	PortData1Size  = 964
	PortData2Size  = 1068
	DeletePortSize = 236
	ConfigInfoSize = 132
)

// PortNameSize is the field PortName, which begins every structure: 64 units with the NUL.
const PortNameSize = 128

// field is a place in a structure: bytes from off. A number has size 4.
type field struct {
	name      string
	off, size int
}

// layout is the fields of PORT_DATA in one version. A field that the version does not
// have is zero.
type layout struct {
	version, size int

	portName, versionField, protocol, structSize, reserved     field
	host, community, doubleSpool, queue, ip, hardware          field
	deviceType, portNumber, snmpEnabled, snmpIndex, portMonMib field
}

func layout1() layout {
	return layout{
		version: 1, size: PortData1Size,
		portName: field{"PortName", 0, PortNameSize}, versionField: number("Version", 128), protocol: number("Protocol", 132),
		structSize: number("Size", 136), reserved: number("Reserved", 140),
		host: field{"HostAddress", 144, 98}, community: field{"SNMPCommunity", 242, 66}, doubleSpool: number("DoubleSpool", 308),
		queue: field{"Queue", 312, 66}, ip: field{"IPAddress", 378, 32}, hardware: field{"HardwareAddress", 410, 26},
		deviceType: field{"DeviceType", 436, 514}, portNumber: number("PortNumber", 952),
		snmpEnabled: number("SNMPEnabled", 956), snmpIndex: number("SNMPDevIndex", 960),
	}
}

func layout2() layout {
	return layout{
		version: 2, size: PortData2Size,
		portName: field{"PortName", 0, PortNameSize}, versionField: number("Version", 128), protocol: number("Protocol", 132),
		structSize: number("Size", 136), reserved: number("Reserved", 140),
		host: field{"HostAddress", 144, 256}, community: field{"SNMPCommunity", 400, 66}, doubleSpool: number("DoubleSpool", 468),
		queue: field{"Queue", 472, 66}, deviceType: field{"DeviceType", 538, 514}, portNumber: number("PortNumber", 1052),
		snmpEnabled: number("SNMPEnabled", 1056), snmpIndex: number("SNMPDevIndex", 1060), portMonMib: number("PortMonitorMibIndex", 1064),
	}
}

func number(name string, off int) field { return field{name, off, 4} }

// layoutOf gives the layout of a version.
func layoutOf(version uint32) (layout, error) {
	switch version {
	case 1:
		return layout1(), nil
	case 2:
		return layout2(), nil
	}
	return layout{}, badVersion("PORT_DATA", version, "1 and 2")
}

func badVersion(what string, version uint32, known string) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidLevel, "%s has version %d; send version %s", what, version, known)
}

func malformed(format string, args ...any) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, format, args...)
}

// reader reads fields, and keeps the first error.
type reader struct {
	what string
	in   []byte
	err  error
}

func (r *reader) number(f field) uint32 {
	if f.size == 0 {
		return 0
	}
	return binary.LittleEndian.Uint32(r.in[f.off:])
}

// flag reads a BOOL, which is 0 or 1.
func (r *reader) flag(f field) bool {
	n := r.number(f)
	if n > 1 {
		r.fail("%s: %s is %d; send 0 or 1", r.what, f.name, n)
	}
	return n == 1
}

// text reads a string up to its NUL, which must be there. What follows the NUL is nobody's.
func (r *reader) text(f field) string {
	if f.size == 0 {
		return ""
	}
	s, err := text(r.in[f.off : f.off+f.size])
	if err != nil {
		r.fail("%s: %s is not a NUL-terminated UTF-16LE string of at most %d characters", r.what, f.name, f.size/2-1)
	}
	return s
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed(format, args...)
	}
}

func text(in []byte) (string, error) {
	for end := 0; end+2 <= len(in); end += 2 {
		if in[end] == 0 && in[end+1] == 0 {
			return portconfig.DecodeText(in[:end+2])
		}
	}
	return "", malformed("no NUL")
}

// writer writes fields, and keeps the first error.
type writer struct {
	what string
	out  []byte
	err  error
}

func (w *writer) number(f field, n uint32) {
	if f.size != 0 {
		binary.LittleEndian.PutUint32(w.out[f.off:], n)
	}
}

func (w *writer) flag(f field, yes bool) {
	if yes {
		w.number(f, 1)
	}
}

func (w *writer) text(f field, s string) {
	if f.size == 0 {
		return
	}
	units := utf16.Encode([]rune(s))
	if 2*len(units)+2 > f.size {
		if w.err == nil {
			w.err = malformed("%s: %s has room for %d characters, not for %s", w.what, f.name, f.size/2-1, spool.Quote(s))
		}
		return
	}
	for i, u := range units {
		binary.LittleEndian.PutUint16(w.out[f.off+2*i:], u)
	}
}
