package registry

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"", "a", `a\b`, `\`, `..\..`, "a\x00b", "\xff", "Ä/ß", strings.Repeat(`x\`, 40), "K\u212a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePath(s)
		if err != nil {
			return
		}
		if p.String() != s || len(p) > MaxDepth {
			t.Fatalf("%q was read as %q", s, p)
		}
		again, err := parsePath(p.folded())
		if err != nil {
			t.Fatalf("the folded form of %q is no path: %v", s, err)
		}
		if again.folded() != p.folded() || len(again) != len(p) {
			t.Fatalf("%q folds to %q and then to %q", s, p.folded(), again.folded())
		}
		h := &Hive{prefix: "registry/node/"}
		for _, name := range []string{h.keyName(p), h.valueName(p, strings.Repeat("x", MaxValueName)), h.usageName(p)} {
			if !strings.HasPrefix(name, h.prefix) || !utf8.ValidString(name) {
				t.Fatalf("%q is stored as %q", s, name)
			}
		}
	})
}

func FuzzCheckValueName(f *testing.F) {
	f.Add("")
	f.Add("a\\b\x00")
	f.Fuzz(func(t *testing.T, s string) {
		if checkValueName(s) == nil && checkValueName(spool.Fold(s)) != nil {
			t.Fatalf("%q is a name, its folded form is not", s)
		}
	})
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte{})
	f.Add(keyRecord{name: "k", changes: 7}.encode())
	f.Add(encodeValue(registry.Uint32("n", 1)))
	f.Add(usage{1, 2}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := decodeKey(b); err == nil {
			again, err := decodeKey(k.encode())
			if err != nil || again != k {
				t.Fatalf("key %+v came back as %+v, %v", k, again, err)
			}
		}
		if v, err := decodeValue(b); err == nil {
			again, err := decodeValue(encodeValue(v))
			if err != nil || again.Name != v.Name || again.Type != v.Type || string(again.Data) != string(v.Data) {
				t.Fatalf("value %+v came back as %+v, %v", v, again, err)
			}
		}
		if u, err := decodeUsage(b); err == nil {
			if again, err := decodeUsage(u.encode()); err != nil || again != u {
				t.Fatalf("usage %+v came back as %+v, %v", u, again, err)
			}
		}
	})
}

// FuzzReadValue: whatever a module stored, reading it as something fails or succeeds, and
// what checkValue lets pass can be read as what its type says, except strings' content.
func FuzzReadValue(f *testing.F) {
	for _, v := range []registry.Value{
		registry.String("", "x"), registry.Strings("", "a", "b"), registry.Uint32("", 1), registry.Uint64("", 1),
		registry.Bytes("", []byte{1}), {Type: registry.SZ, Data: []byte{0, 0xd8, 0, 0}}, {Type: registry.MultiSZ},
	} {
		f.Add(uint32(v.Type), v.Data)
	}
	f.Fuzz(func(t *testing.T, kind uint32, data []byte) {
		v := registry.Value{Name: "v", Type: registry.Type(kind), Data: data}
		text, textErr := v.Text()
		list, listErr := v.List()
		_, numberErr := v.Number()
		_ = v.Type.String()
		if !utf8.ValidString(text) {
			t.Fatalf("text %q is not UTF-8", text)
		}
		for _, s := range list {
			if s == "" || !utf8.ValidString(s) {
				t.Fatalf("list %q", list)
			}
		}
		if checkValue(v) != nil {
			return
		}
		readable := map[registry.Type]error{
			registry.SZ: textErr, registry.ExpandSZ: textErr, registry.MultiSZ: listErr,
			registry.DWORD: numberErr, registry.QWORD: numberErr,
		}
		if err := readable[v.Type]; err != nil {
			t.Fatalf("%s of %d bytes is accepted but not readable: %v", v.Type, len(data), err)
		}
	})
}
