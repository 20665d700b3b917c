package icc

import (
	"encoding/binary"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
)

// mostDescription bounds what is read of a description, in bytes.
const mostDescription = 4096

// description gives the text of the tag "desc": textDescriptionType in version 2,
// multiLocalizedUnicodeType in version 4. One that cannot be read is empty.
func description(r io.ReaderAt, tags []Tag) (string, error) {
	for _, t := range tags {
		if t.Signature != "desc" {
			continue
		}
		b := make([]byte, min(t.Size, mostDescription))
		if err := readFull(r, b, t.Offset); err != nil {
			return "", err
		}
		switch string(b[:4]) {
		case "desc":
			return clean(asciiText(b)), nil
		case "mluc":
			return clean(firstText(b)), nil
		}
	}
	return "", nil
}

// asciiText is that of a textDescriptionType: a count, and as many characters with a NUL.
func asciiText(b []byte) string {
	const at = 12
	if len(b) < at {
		return ""
	}
	n := int64(binary.BigEndian.Uint32(b[8:]))
	text, _, _ := strings.Cut(string(b[at:at+min(n, int64(len(b)-at))]), "\x00")
	return text
}

// firstText is the first record of a multiLocalizedUnicodeType: UTF-16, big endian.
func firstText(b []byte) string {
	const record = 16
	if len(b) < record+12 || binary.BigEndian.Uint32(b[8:]) == 0 {
		return ""
	}
	n, at := int64(binary.BigEndian.Uint32(b[record+4:])), int64(binary.BigEndian.Uint32(b[record+8:]))
	if at > int64(len(b)) {
		return ""
	}
	text := b[at:min(at+n, int64(len(b)))]
	units := make([]uint16, 0, len(text)/2)
	for i := 0; i+1 < len(text); i += 2 {
		units = append(units, binary.BigEndian.Uint16(text[i:]))
	}
	return string(utf16.Decode(units))
}

// clean makes a profile's text fit for records and terminals.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
}
