// Package icctest makes small ICC profiles for tests.
package icctest

import (
	"encoding/binary"
)

// Profile gives a valid printer profile of version 2.4, CMYK to Lab, with a description.
func Profile(description string) []byte {
	text := append([]byte(description), 0)
	desc := append([]byte("desc\x00\x00\x00\x00"), binary.BigEndian.AppendUint32(nil, uint32(len(text)))...)
	desc = append(desc, text...)
	desc = append(desc, make([]byte, 78)...) // no Unicode, no ScriptCode
	for len(desc)%4 != 0 {
		desc = append(desc, 0)
	}
	const header, entry = 128, 12
	b := make([]byte, header)
	binary.BigEndian.PutUint32(b, uint32(header+4+entry+len(desc)))
	copy(b[8:], []byte{2, 0x40})
	copy(b[12:], "prtrCMYKLab ")
	for i, n := range []uint16{1999, 12, 31, 23, 59, 58} {
		binary.BigEndian.PutUint16(b[24+2*i:], n)
	}
	copy(b[36:], "acsp")
	b = binary.BigEndian.AppendUint32(b, 1)
	b = append(b, "desc"...)
	b = binary.BigEndian.AppendUint32(b, header+4+entry)
	b = binary.BigEndian.AppendUint32(b, uint32(len(desc)))
	return append(b, desc...)
}
