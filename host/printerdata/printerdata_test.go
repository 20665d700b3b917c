package printerdata_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/printerdata"
	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const root = `Printers\HpColor`

func open(t *testing.T) printerdata.Data {
	t.Helper()
	s, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), store.Options{})
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	h := hostregistry.New(s, hostregistry.Options{}).Hive("node")
	_, err = h.CreateKey(t.Context(), root)
	check(t, err)
	check(t, h.SetValues(t.Context(), root, registry.Strings("Ports", "P1")))
	return printerdata.Data{Hive: h, Printer: "HpColor", Root: root}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func changeID(t *testing.T, d printerdata.Data) uint64 {
	t.Helper()
	v, err := d.Hive.QueryValue(t.Context(), root, "ChangeID")
	check(t, err)
	n, err := v.Number()
	check(t, err)
	return n
}

func TestData(t *testing.T) {
	d := open(t)
	check(t, d.Set(t.Context(), `CopyFiles\ICM`, registry.String("Directory", "Color"), 7))
	check(t, d.Set(t.Context(), `copyfiles\icm`, registry.Strings("Files", "Hpclrlsr.icm"), 8))
	check(t, d.Set(t.Context(), "PrinterDriverData", registry.Uint32("Duplex", 1), 9))
	if keys, err := d.Keys(t.Context(), ""); err != nil || !slices.Equal(keys, []string{"CopyFiles", "PrinterDriverData"}) {
		t.Errorf("keys %q, %v", keys, err)
	}
	if keys, err := d.Keys(t.Context(), "CopyFiles"); err != nil || !slices.Equal(keys, []string{"ICM"}) {
		t.Errorf("keys %q, %v", keys, err)
	}
	list, err := d.Enum(t.Context(), `CopyFiles\ICM`)
	if err != nil || len(list) != 2 || changeID(t, d) != 9 {
		t.Errorf("values %v, %v, ChangeID %d", list, err, changeID(t, d))
	}
	check(t, d.Delete(t.Context(), `CopyFiles\ICM`, "Files", 10))
	if err := d.Delete(t.Context(), `CopyFiles\ICM`, "Files", 11); !errors.Is(err, spoolerr.CodeFileNotFound) || changeID(t, d) != 10 {
		t.Errorf("deleted twice: %v, ChangeID %d", err, changeID(t, d))
	}
	check(t, d.DeleteKey(t.Context(), "", 12))
	if keys, _ := d.Keys(t.Context(), ""); len(keys) > 0 || changeID(t, d) != 12 {
		t.Errorf("left: %q", keys)
	}
	if _, err := d.Hive.QueryValue(t.Context(), root, "Ports"); err != nil {
		t.Errorf("the printer's own settings went with its data: %v", err)
	}
}

// The printer's own key, SpoolDirectory and all, was reachable by a backslash (CVE-2020-1030).
func TestKeysThatAreNone(t *testing.T) {
	d := open(t)
	for _, key := range []string{"", `\`, `\\`, `\CopyFiles`, `CopyFiles\`, `CopyFiles\\ICM`, `.`, `..`, `CopyFiles\..`, `..\Other\CopyFiles`, "a\x00b", "a\x1b", strings.Repeat(`a\`, 9) + "a", strings.Repeat("a", 2000)} {
		if err := d.Set(t.Context(), key, registry.String("SpoolDirectory", "x"), 2); !errors.Is(err, spoolerr.CodeInvalidParameter) {
			t.Errorf("Set %q: %v", key, err)
		}
		if _, err := d.Get(t.Context(), key, "Ports"); !errors.Is(err, spoolerr.CodeInvalidParameter) {
			t.Errorf("Get %q: %v", key, err)
		}
		if _, err := d.Enum(t.Context(), key); !errors.Is(err, spoolerr.CodeInvalidParameter) {
			t.Errorf("Enum %q: %v", key, err)
		}
		if err := d.DeleteKey(t.Context(), key, 2); key != "" && !errors.Is(err, spoolerr.CodeInvalidParameter) {
			t.Errorf("DeleteKey %q: %v", key, err)
		}
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	d := open(t)
	many := make([]string, 1001)
	for i := range many {
		many[i] = "f" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
	}
	for _, c := range []struct {
		key  string
		v    registry.Value
		code spoolerr.Code
	}{
		{"PrinterDriverData", registry.Uint32("ChangeID", 1), spoolerr.CodeInvalidParameter},
		{"PrinterDriverData", registry.String("", "x"), spoolerr.CodeInvalidParameter},
		{"PrinterDriverData", registry.Bytes("Big", make([]byte, printerdata.MaxValue+1)), spoolerr.CodeNotEnoughMemory},
		{"DsSpooler", registry.String("x", "y"), spoolerr.CodeAccessDenied},
		{"DsDriver", registry.Uint64("x", 1), spoolerr.CodeInvalidParameter},
		{"DsUser", registry.Bytes("x", []byte{1, 2}), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.String("SourceDir", `\\evil\x`), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.String("targetdir", `x`), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.String("Directory", `..\x64\3`), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.String("Directory", `\\evil\share`), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.Uint32("Directory", 1), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.String("Module", `\\evil\share\x.dll`), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.String("Module", `C:\x.dll`), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.Strings("Files", `..\x.icm`), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.Strings("Files", "a.icm", "A.ICM"), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.String("Files", "a.icm"), spoolerr.CodeInvalidParameter},
		{`CopyFiles\ICM`, registry.Strings("Files", many...), spoolerr.CodeInvalidParameter},
		{`CopyFiles\a\b`, registry.String("Directory", "Color"), spoolerr.CodeInvalidName},
	} {
		if err := d.Set(t.Context(), c.key, c.v, 2); !errors.Is(err, c.code) {
			t.Errorf("%s %s: %v, want code %d", c.key, c.v.Name, err, c.code)
		}
	}
	if keys, err := d.Keys(t.Context(), ""); err != nil || len(keys) > 0 {
		t.Errorf("keys were made for what was refused: %q, %v", keys, err)
	}
}

func TestLimits(t *testing.T) {
	d := open(t)
	half := make([]byte, printerdata.MaxValue)
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		err = d.Set(t.Context(), "PrinterDriverData", registry.Bytes("v"+string(rune('a'+n)), half), uint32(n+2))
	}
	if !errors.Is(err, spoolerr.Exhausted) || n != 4 {
		t.Errorf("after %d values of %d bytes: %v", n, len(half), err)
	}
	check(t, d.DeleteKey(t.Context(), "", 100))
	check(t, d.Set(t.Context(), "PrinterDriverData", registry.Bytes("v", half), 101))
}
