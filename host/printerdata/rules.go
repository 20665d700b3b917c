package printerdata

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The keys of the directory service (winspool.h SPLDS_*).
const (
	dsDriver  = "dsdriver"
	dsUser    = "dsuser"
	dsSpooler = "dsspooler"
)

// The bounds of a key's name and of a CopyFiles key.
const (
	maxKeyDepth = 8
	maxKeyBytes = 1024
	maxFiles    = 1000
)

func invalid(format string, args ...any) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidParameter, format, args...)
}

// checkKey refuses what does not name a key below the printer: an empty one, and above all
// one of backslashes only, which on Windows was a way to the printer's own settings.
func checkKey(key string) error {
	if key == "" {
		return invalid("a key of printer data must be named, such as %s", printerdata.DriverData)
	}
	parts := strings.Split(key, `\`)
	if len(key) > maxKeyBytes || len(parts) > maxKeyDepth || !utf8.ValidString(key) {
		return invalid("key %s is too long or too deep; use at most %d names", spool.Quote(key), maxKeyDepth)
	}
	for _, p := range parts {
		if p == "." || p == ".." {
			return invalid(`key %s: %s is no name of a key, and does not lead to another; write the whole key, such as CopyFiles\ICM`, spool.Quote(key), spool.Quote(p))
		}
		if p == "" || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return invalid(`key %s begins or ends with a backslash, has two in a row, or has a control character; separate names by single backslashes: CopyFiles\ICM`, spool.Quote(key))
		}
	}
	return nil
}

// Component gives the name of a CopyFiles subkey: ICM of CopyFiles\ICM.
func Component(key string) (name string, ok bool) {
	top, name, ok := strings.Cut(key, `\`)
	return name, ok && spool.Fold(top) == spool.Fold(printerdata.CopyFiles)
}

// checkWritable refuses keys and values that are not for callers to change.
func checkWritable(key, value string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	top, _, _ := strings.Cut(key, `\`)
	_, copyFiles := Component(key)
	switch {
	case spool.Fold(top) == dsSpooler:
		return spoolerr.New(spoolerr.Denied, 0, "key %s is written by the spooler only", spool.Quote(key))
	case spool.Fold(value) == spool.Fold(printerdata.ChangeID):
		return invalid("value %s is the spooler's own; it changes by itself", printerdata.ChangeID)
	case copyFiles && (spool.Fold(value) == spool.Fold(printerdata.SourceDir) || spool.Fold(value) == spool.Fold(printerdata.TargetDir)):
		return invalid("value %s of key %s is made when a client asks, from %s; set that", spool.Quote(value), spool.Quote(key), printerdata.Directory)
	}
	return nil
}

// checkSet refuses a value that cannot be stored.
func checkSet(key string, v registry.Value) error {
	if err := checkWritable(key, v.Name); err != nil {
		return err
	}
	if v.Name == "" {
		return invalid("a value of key %s must have a name", spool.Quote(key))
	}
	if len(v.Data) > MaxValue {
		return spoolerr.New(spoolerr.Exhausted, 0, "value %s has %d bytes; the most is %d", spool.Quote(v.Name), len(v.Data), MaxValue)
	}
	top, _, _ := strings.Cut(key, `\`)
	if t := spool.Fold(top); t == dsDriver || t == dsUser {
		return checkDS(key, v)
	}
	if component, ok := Component(key); ok {
		return checkCopyFiles(component, v)
	}
	return nil
}

// checkDS has the types that a directory service takes.
func checkDS(key string, v registry.Value) error {
	switch {
	case slices.Contains([]registry.Type{registry.SZ, registry.MultiSZ, registry.DWORD}, v.Type), v.Type == registry.Binary && len(v.Data) == 1:
		return nil
	}
	return invalid("key %s takes REG_SZ, REG_MULTI_SZ, REG_DWORD and one byte of REG_BINARY; value %s is %s", spool.Quote(key), spool.Quote(v.Name), v.Type)
}

// checkCopyFiles refuses what no client would copy: it is said here, to the person who sets
// it, and checked again by every client.
func checkCopyFiles(component string, v registry.Value) error {
	if err := confine.CheckFileName("the name of a CopyFiles key,", component); err != nil {
		return err
	}
	switch spool.Fold(v.Name) {
	case spool.Fold(printerdata.Directory):
		dir, err := text(v)
		if err == nil {
			_, err = confine.ParseRel(printerdata.Directory, dir)
		}
		return asInvalid(err)
	case spool.Fold(printerdata.Module):
		module, err := text(v)
		if err == nil {
			err = catalog.CheckModuleName(catalog.Named(module))
		}
		return asInvalid(err)
	case spool.Fold(printerdata.Files):
		return asInvalid(checkFiles(v))
	}
	return nil
}

func text(v registry.Value) (string, error) {
	if v.Type != registry.SZ {
		return "", invalid("value %s must be a REG_SZ", v.Name)
	}
	return v.Text()
}

func checkFiles(v registry.Value) error {
	list, err := v.List()
	if err != nil {
		return invalid("value %s must be a REG_MULTI_SZ", v.Name)
	}
	if len(list) > maxFiles {
		return invalid("value %s names %d files; the most is %d", v.Name, len(list), maxFiles)
	}
	seen := make(map[string]bool)
	for _, name := range list {
		if err := confine.CheckFileName("file", name); err != nil {
			return err
		}
		if seen[spool.Fold(name)] {
			return invalid("value %s names file %s twice", v.Name, spool.Quote(name))
		}
		seen[spool.Fold(name)] = true
	}
	return nil
}

// asInvalid gives a refusal the code that SetPrinterDataEx documents.
func asInvalid(err error) error {
	if err == nil {
		return nil
	}
	return spoolerr.As(err, spoolerr.Invalid, "it was not stored")
}
