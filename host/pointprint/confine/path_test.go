package confine

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// attacks are directories and names that must not get through, whatever they stand in.
func attacks() []string {
	return []string{
		"", ".", "..", "...", ". ", " .", "..\\..", "a\\..", "..\\a", "a\\..\\b", "a\\.\\b", "a\\\\b", "\\a", "a\\", "a/../b", "../a", "a/b",
		"/etc/cron.d", "/", "\\", "\\\\", "\\\\evil\\share", "\\\\?\\C:\\x", "\\\\.\\pipe\\x", "\\??\\C:\\x", "C:", "C:\\Windows", "C:x", "c:/x",
		"Color:stream", "Color::$DATA", "a:$I30:$INDEX_ALLOCATION", "file:///etc/passwd", "con", "CON", "Aux.icm", "NUL.txt", "com1", "COM9.icm", "lpt1", "COM¹",
		"prn .icm", "CONIN$", "conout$", "clock$", "COM0", "PROGRA~1", "HPCLRL~1.icm", "x.", "x ", " x", "x. ", ".hidden", ".part-x", ".ssh",
		"a\x00b", "a\nb", "a\tb", "a\x7f", "\u202egpj.exe", "a\u200bb", "a\u00adb", "\ufeffa", "a\u2028", "\xff\xfe", "a\xc0\xae\xc0\xae", "cafe\u0301", "\u212b", "a\ufffdb",
		"a*", "a?", "a<b", "a>b", "a|b", "a\"b", strings.Repeat("x", 121), strings.Repeat("\U0001f600", 61), strings.Repeat(`a\`, 8) + "a", strings.Repeat("y\\", 300),
	}
}

func TestAttacksAreRefusedEverywhere(t *testing.T) {
	root := t.TempDir()
	for _, a := range attacks() {
		if rel, err := ParseRel("Directory", a); err == nil {
			t.Errorf("ParseRel(%q) = %q", a, rel)
		} else if !errors.Is(err, spoolerr.Denied) || !strings.Contains(err.Error(), "Directory ") {
			t.Errorf("ParseRel(%q): %v", a, err)
		}
		for _, source := range []string{`\\NTPRINT\PRINT$\` + a, `\\NTPRINT\PRINT$` + a, a} {
			if source == `\\NTPRINT\PRINT$\a` {
				continue // made of two parts that are harmless together
			}
			if rel, err := ParseSource("SourceDir", "NTPRINT", source); err == nil {
				t.Errorf("ParseSource(%q) = %q", source, rel)
			}
		}
		for _, target := range []string{root + string(filepath.Separator) + a, root + a, a} {
			if rel, err := ParseTarget("TargetDir", root, target); err == nil && a != "a/b" && target != root+"/etc/cron.d" {
				t.Errorf("ParseTarget(%q) = %q", target, rel)
			}
		}
		if err := CheckFileName("file", a); err == nil {
			t.Errorf("CheckFileName(%q)", a)
		}
	}
}

func TestSourceOfAnotherPlace(t *testing.T) {
	for _, s := range []string{
		`\\EVIL\PRINT$\Color`, `\\NTPRINT\C$\Color`, `\\NTPRINT\PRINT$`, `\\NTPRINT\PRINT$\`, `\\NTPRINT@80\PRINT$\Color`, `//NTPRINT/PRINT$/Color`,
		`\\NTPRINT\PRINT$\Color\..\..\x`, `\NTPRINT\PRINT$\Color`, `\\\NTPRINT\PRINT$\Color`, `\\NTPRINT.evil\PRINT$\Color`, `\\?\UNC\NTPRINT\PRINT$\Color`,
	} {
		if rel, err := ParseSource("SourceDir", "NTPRINT", s); err == nil {
			t.Errorf("%q gives %q", s, rel)
		}
	}
}

func TestWhatIsPlainGetsThrough(t *testing.T) {
	root := filepath.Join(t.TempDir(), "drivers")
	for _, c := range []struct{ in, want string }{
		{"Color", "Color"}, {`x64\3`, `x64\3`}, {"Größe", "Größe"}, {"色", "色"}, {"a b.c-d_e (1)", "a b.c-d_e (1)"}, {"conduct", "conduct"}, {"x~y", "x~y"},
	} {
		rel, err := ParseRel("Directory", c.in)
		if err != nil || rel.String() != c.want {
			t.Errorf("%q: %q, %v", c.in, rel, err)
		}
		if rel, err = ParseSource("SourceDir", "NTPRINT", `\\ntprint\print$\`+c.in); err != nil || rel.String() != c.want {
			t.Errorf("source %q: %q, %v", c.in, rel, err)
		}
		if back, err := ParseTarget("TargetDir", root, rel.Path(root)); err != nil || back.String() != c.want {
			t.Errorf("target %q: %q, %v", c.in, back, err)
		}
	}
	if err := CheckFileName("file", "Hpclrlsr.icm"); err != nil {
		t.Error(err)
	}
}

// FuzzPaths: whatever is accepted stays below its root, in every reading.
func FuzzPaths(f *testing.F) {
	for _, a := range attacks() {
		f.Add(a)
		f.Add(`\\NTPRINT\PRINT$\` + a)
		f.Add("/srv/drivers/" + a)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const root = "/srv/drivers"
		check := func(rel Rel, err error) {
			if err != nil {
				return
			}
			if len(rel) == 0 || len(rel) > MaxDepth {
				t.Fatalf("%q has depth %d", s, len(rel))
			}
			for _, name := range rel {
				if !filepath.IsLocal(name) || strings.ContainsAny(name, `\/:`+"\x00") || name == ".." || strings.HasPrefix(name, ".") {
					t.Fatalf("%q gives %q", s, name)
				}
			}
			if p := rel.Path(root); !strings.HasPrefix(p, root+"/") || filepath.Clean(p) != p {
				t.Fatalf("%q gives %q", s, p)
			}
			if again, err := ParseRel("x", rel.String()); err != nil || again.Key() != rel.Key() {
				t.Fatalf("%q comes back as %q, %v", rel, again, err)
			}
		}
		check(ParseRel("x", s))
		check(ParseSource("x", "NTPRINT", s))
		check(ParseTarget("x", root, s))
		if CheckFileName("x", s) == nil {
			check(Rel{s}, nil)
		}
	})
}
