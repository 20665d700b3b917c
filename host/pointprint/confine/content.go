package confine

import (
	"bytes"
	"errors"
	"io"

	"github.com/spoolhost/spoolhost/sdk/icc"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// CheckContent refuses a file by what is in it: under Color it must be an ICC profile.
func (p Policy) CheckContent(name string, r io.ReaderAt, size int64) error {
	if p == All {
		return nil
	}
	head := make([]byte, 8)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return spoolerr.As(err, spoolerr.Unavailable, "file %s cannot be read", spool.Quote(name))
	}
	why := ""
	if format := executable(head[:n]); format != "" {
		why = "it is " + format
	} else if _, err := icc.Parse(r, size); err != nil {
		why = err.Error()
	}
	if why == "" {
		return nil
	}
	return spoolerr.New(spoolerr.Denied, spoolerr.CodeInvalidData,
		"file %s is refused: %s; the policy copy_files = %q takes colour profiles only", spool.Quote(name), why, string(Color))
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
