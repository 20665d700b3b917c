package portconfig

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// EncodeText makes a NUL-terminated UTF-16LE string, as MonitorUI answers and as Windows
// sends a port name.
func EncodeText(s string) []byte {
	units := utf16.Encode([]rune(s))
	out := make([]byte, 0, 2*len(units)+2)
	for _, u := range units {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return append(out, 0, 0)
}

// DecodeText reads exactly one NUL-terminated UTF-16LE string: the terminator is there,
// it is the only NUL, and surrogates come in pairs.
func DecodeText(in []byte) (string, error) {
	if len(in) < 2 || len(in)%2 != 0 || len(in) > MaxSize {
		return "", badText("its length is wrong")
	}
	units := make([]uint16, len(in)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(in[2*i:])
	}
	last := len(units) - 1
	if units[last] != 0 {
		return "", badText("the terminating NUL is missing")
	}
	return text(units[:last])
}

func text(units []uint16) (string, error) {
	out := make([]byte, 0, len(units))
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) && i+1 < len(units) {
			i++
			r = utf16.DecodeRune(r, rune(units[i]))
		}
		if r == 0 || r == utf8.RuneError || utf16.IsSurrogate(r) {
			return "", badText("it holds a NUL, U+FFFD or half a surrogate pair")
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), nil
}

func badText(why string) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
		"the text cannot be read: %s; send one NUL-terminated UTF-16LE string", why)
}
