package spool

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// MaxNameLen is the longest name of a printer, port, monitor or spooler, in UTF-16
// code units (winspool's limit of 220 for printers, taken for all).
const MaxNameLen = 220

// CheckName refuses a name that winspool could not carry: empty, too long, not valid
// UTF-8, with control characters, or with one of the separators backslash, slash and
// comma. what says whose name it is ("printer", "port", "monitor", "spooler").
func CheckName(what, name string) error {
	fail := func(why string) error {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidName,
			"%s name %s %s; use 1 to %d printable characters without backslash, slash or comma",
			what, Quote(name), why, MaxNameLen)
	}
	switch {
	case name == "":
		return fail("is empty")
	case !utf8.ValidString(name):
		return fail("is not valid UTF-8")
	case utf16Len(name) > MaxNameLen:
		return fail("is too long")
	case strings.ContainsAny(name, `\/,`):
		return fail("contains a backslash, slash or comma")
	case name != strings.TrimSpace(name):
		return fail("begins or ends with a space")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fail("contains a control character")
		}
	}
	return nil
}

// CheckPortName is CheckName for ports: their pattern is their monitor's business
// (LPT1:, IP_10.0.0.5, a file path), so slashes and backslashes are allowed.
func CheckPortName(name string) error {
	return CheckName("port", strings.NewReplacer(`\`, "_", "/", "_").Replace(name))
}

// Fold gives the form of a name under which two names are the same: names are
// case-insensitive, as on Windows.
func Fold(name string) string {
	ascii := true
	for i := 0; i < len(name); i++ {
		if name[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(name)
	}
	return strings.Map(foldRune, name)
}

// foldRune gives the smallest rune of r's simple-folding orbit, so that every
// spelling that strings.EqualFold accepts comes out the same.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return unicode.ToLower(least)
}

// Quote makes a name fit for a message or a log line: quoted, escaped, and cut at 64
// characters, whatever it holds.
func Quote(name string) string {
	const most = 64
	var b strings.Builder
	b.WriteByte('"')
	n := 0
	for _, r := range name {
		if n++; n > most {
			b.WriteString("...")
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			b.WriteRune('\ufffd')
			continue
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}
