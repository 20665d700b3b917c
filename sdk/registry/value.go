package registry

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Type is a registry value type (winnt.h REG_*).
type Type uint32

// The types of values.
const (
	None     Type = 0
	SZ       Type = 1
	ExpandSZ Type = 2
	Binary   Type = 3
	DWORD    Type = 4
	MultiSZ  Type = 7
	QWORD    Type = 11
)

// typeNames pairs each type with its Windows name.
func typeNames() map[Type]string {
	return map[Type]string{
		None: "REG_NONE", SZ: "REG_SZ", ExpandSZ: "REG_EXPAND_SZ", Binary: "REG_BINARY",
		DWORD: "REG_DWORD", MultiSZ: "REG_MULTI_SZ", QWORD: "REG_QWORD",
	}
}

// String gives the Windows name, such as REG_SZ.
func (t Type) String() string {
	if s, ok := typeNames()[t]; ok {
		return s
	}
	return "REG_UNKNOWN"
}

// ParseType reads a Windows name such as REG_SZ.
func ParseType(s string) (Type, error) {
	for t, name := range typeNames() {
		if name == s {
			return t, nil
		}
	}
	return 0, spoolerr.New(spoolerr.Invalid, 0,
		"registry type %s is unknown; use REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ, REG_DWORD, REG_QWORD, REG_BINARY or REG_NONE", spool.Quote(s))
}

// Value is a named, typed value. Data has the Windows layout: strings are UTF-16LE with
// a terminating NUL, numbers are little endian.
type Value struct {
	Name string
	Type Type
	Data []byte
}

// String makes a REG_SZ.
func String(name, s string) Value { return Value{Name: name, Type: SZ, Data: encodeUTF16(s)} }

// Uint32 makes a REG_DWORD.
func Uint32(name string, n uint32) Value {
	return Value{Name: name, Type: DWORD, Data: binary.LittleEndian.AppendUint32(nil, n)}
}

// Uint64 makes a REG_QWORD.
func Uint64(name string, n uint64) Value {
	return Value{Name: name, Type: QWORD, Data: binary.LittleEndian.AppendUint64(nil, n)}
}

// Strings makes a REG_MULTI_SZ. Empty strings cannot be stored in one and are left out.
func Strings(name string, list ...string) Value {
	var data []byte
	for _, s := range list {
		if s != "" {
			data = append(data, encodeUTF16(s)...)
		}
	}
	return Value{Name: name, Type: MultiSZ, Data: append(data, 0, 0)}
}

// Bytes makes a REG_BINARY.
func Bytes(name string, b []byte) Value { return Value{Name: name, Type: Binary, Data: b} }

// Text reads a REG_SZ or REG_EXPAND_SZ up to its first NUL.
func (v Value) Text() (string, error) {
	if v.Type != SZ && v.Type != ExpandSZ {
		return "", v.wrong("a string")
	}
	if len(v.Data)%2 != 0 {
		return "", v.wrong("whole UTF-16 units")
	}
	units := decodeUTF16(v.Data)
	for i, u := range units {
		if u == 0 {
			units = units[:i]
			break
		}
	}
	return string(utf16.Decode(units)), nil
}

// List reads a REG_MULTI_SZ.
func (v Value) List() ([]string, error) {
	if v.Type != MultiSZ {
		return nil, v.wrong("a list of strings")
	}
	if len(v.Data)%2 != 0 {
		return nil, v.wrong("whole UTF-16 units")
	}
	var list []string
	var one []uint16
	for _, u := range decodeUTF16(v.Data) {
		if u != 0 {
			one = append(one, u)
			continue
		}
		if len(one) == 0 {
			break
		}
		list = append(list, string(utf16.Decode(one)))
		one = one[:0]
	}
	return list, nil
}

// Number reads a REG_DWORD or REG_QWORD.
func (v Value) Number() (uint64, error) {
	switch {
	case v.Type == DWORD && len(v.Data) == 4:
		return uint64(binary.LittleEndian.Uint32(v.Data)), nil
	case v.Type == QWORD && len(v.Data) == 8:
		return binary.LittleEndian.Uint64(v.Data), nil
	}
	return 0, v.wrong("a number")
}

func (v Value) wrong(want string) error {
	return spoolerr.New(spoolerr.Corrupt, spoolerr.CodeInvalidData,
		"registry value %s (%s, %d bytes) does not hold %s", spool.Quote(v.Name), v.Type, len(v.Data), want)
}

func encodeUTF16(s string) []byte {
	units := utf16.Encode([]rune(s))
	data := make([]byte, 0, 2*len(units)+2)
	for _, u := range units {
		data = binary.LittleEndian.AppendUint16(data, u)
	}
	return append(data, 0, 0)
}

func decodeUTF16(data []byte) []uint16 {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	return units
}
