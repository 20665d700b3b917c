package registry

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The limits of names, depths and values. A full path and a value name fit a key of the
// store.
const (
	MaxKeyName   = 255 // UTF-16 units of one path element
	MaxValueName = 1023
	MaxDepth     = 32
	MaxValue     = 1 << 20 // bytes of data
)

// parsePath reads a path of elements separated by backslashes. An element is anything
// but backslash and control characters: "..", slashes and drive letters mean nothing
// here, so no path leads out of its root.
func parsePath(s string) (path, error) {
	if s == "" {
		return nil, nil
	}
	elements := strings.Split(s, `\`)
	if len(elements) > MaxDepth {
		return nil, tooDeep(s)
	}
	p := make(path, 0, len(elements))
	for _, e := range elements {
		if why := badName(e, MaxKeyName); why != "" || e == "" {
			return nil, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidName,
				"registry path %s has an element %s that is empty, too long or unprintable%s; separate names of 1 to %d characters by single backslashes",
				spool.Quote(s), spool.Quote(e), why, MaxKeyName)
		}
		p = append(p, name{written: e, folded: spool.Fold(e)})
	}
	return p, nil
}

func tooDeep(s string) error {
	return spoolerr.New(spoolerr.Exhausted, 0, "registry path %s is deeper than %d keys; use a shorter one",
		spool.Quote(s), MaxDepth)
}

func checkValueName(s string) error {
	if why := badName(s, MaxValueName); why != "" {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidName,
			"registry value name %s%s; use at most %d printable characters", spool.Quote(s), why, MaxValueName)
	}
	return nil
}

func badName(s string, most int) string {
	if !utf8.ValidString(s) {
		return " (not UTF-8)"
	}
	units := 0
	for _, r := range s {
		if unicode.IsControl(r) {
			return " (control character)"
		}
		if units += utf16.RuneLen(r); units > most {
			return " (too long)"
		}
	}
	return ""
}

// checkValue refuses what a reader of the value could not make sense of.
func checkValue(v registry.Value) error {
	if err := checkValueName(v.Name); err != nil {
		return err
	}
	if len(v.Data) > MaxValue {
		return spoolerr.New(spoolerr.Exhausted, 0, "registry value %s has %d bytes; store at most %d",
			spool.Quote(v.Name), len(v.Data), MaxValue)
	}
	ok, want := true, ""
	switch v.Type {
	case registry.None, registry.Binary:
	case registry.DWORD:
		ok, want = len(v.Data) == 4, "4 bytes"
	case registry.QWORD:
		ok, want = len(v.Data) == 8, "8 bytes"
	case registry.SZ, registry.ExpandSZ, registry.MultiSZ:
		ok, want = len(v.Data)%2 == 0, "whole UTF-16 units"
	default:
		ok, want = false, "one of the types REG_NONE, SZ, EXPAND_SZ, BINARY, DWORD, MULTI_SZ, QWORD"
	}
	if !ok {
		return spoolerr.New(spoolerr.Invalid, 0, "registry value %s (type %d, %d bytes) must have %s",
			spool.Quote(v.Name), uint32(v.Type), len(v.Data), want)
	}
	return nil
}
