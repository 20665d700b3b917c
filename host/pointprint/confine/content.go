package confine

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// MaxProfile is the size of the largest colour profile, in bytes.
const MaxProfile = 64 << 20

// CheckContent refuses a file by what is in it: under Color it must be an ICC profile.
func (p Policy) CheckContent(name string, r io.ReaderAt, size int64) error {
	if p != Color {
		return nil
	}
	why, err := profileFault(r, size)
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "file %s cannot be read", spool.Quote(name))
	}
	if why == "" {
		return nil
	}
	return spoolerr.New(spoolerr.Denied, spoolerr.CodeInvalidData,
		"file %s is refused: %s, and the policy copy_files = %q takes colour profiles only", spool.Quote(name), why, string(p))
}

// profileFault says why a file is not an ICC profile (ICC.1:2022, section 7).
func profileFault(r io.ReaderAt, size int64) (why string, err error) {
	const header = 132
	head := make([]byte, header)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	if format := executable(head[:n]); format != "" {
		return "it is " + format, nil
	}
	switch {
	case n < header || string(head[36:40]) != "acsp":
		return "it is not an ICC profile", nil
	case size > MaxProfile:
		return "it is too large for a profile", nil
	case int64(binary.BigEndian.Uint32(head)) != size:
		return "its length is not the one that its header gives", nil
	case head[8] == 0 || head[8] > 5:
		return "its version of ICC is unknown", nil
	case !strings.Contains(" scnr mntr prtr link spac abst nmcl cenc mid  mlnk mvis ", " "+string(head[12:16])+" "):
		return "its profile class is unknown", nil
	}
	return tagFault(r, int64(binary.BigEndian.Uint32(head[128:])), size)
}

// tagFault says what is wrong with the table of a profile's tags, which follows its header.
func tagFault(r io.ReaderAt, count, size int64) (why string, err error) {
	const header, tag, mostTags = 132, 12, 1024
	if count == 0 || count > mostTags || header+count*tag > size {
		return "its tag table is not sound", nil
	}
	table := make([]byte, count*tag)
	if _, err := r.ReadAt(table, header); err != nil && err != io.EOF {
		return "", err
	}
	for ; len(table) > 0; table = table[tag:] {
		at, length := int64(binary.BigEndian.Uint32(table[4:])), int64(binary.BigEndian.Uint32(table[8:]))
		if at < header+count*tag || at+length > size {
			return "a tag lies outside of it", nil
		}
	}
	return "", nil
}

// executable names the format of a file that a system would run; empty for none.
func executable(head []byte) string {
	for _, f := range []struct{ magic, name string }{
		{"MZ", "a Windows program or DLL"}, {"ZM", "a DOS program"}, {"\x7fELF", "an ELF program or library"}, {"#!", "a script"},
		{"\xfe\xed\xfa\xce", "a Mach-O program"}, {"\xfe\xed\xfa\xcf", "a Mach-O program"},
		{"\xce\xfa\xed\xfe", "a Mach-O program"}, {"\xcf\xfa\xed\xfe", "a Mach-O program"}, {"\xca\xfe\xba\xbe", "a Mach-O or Java program"},
		{"PK\x03\x04", "a zip archive"}, {"\x00asm", "a WebAssembly program"},
	} {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return f.name
		}
	}
	return ""
}
