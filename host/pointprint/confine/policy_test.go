package confine

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func TestPolicies(t *testing.T) {
	icm := Component{Key: "ICM", Directory: "Color", Module: "mscms.dll"}
	for _, c := range []struct {
		policy Policy
		what   Component
		takes  bool
	}{
		{Color, icm, true}, {Color, Component{"icm", "COLOR", "MSCMS"}, true}, {None, icm, false}, {All, icm, true},
		{Color, Component{"Payload", "Color", "mscms.dll"}, false}, {Color, Component{"ICM", `x64\3`, "mscms.dll"}, false},
		{Color, Component{"ICM", "Color", "mimispool.dll"}, false}, {Color, Component{"ICM", "Color", `C:\x\mscms.dll`}, false},
		{Color, Component{"ICM", "Color", ""}, false}, {Color, Component{`ICM\x`, "Color", "mscms.dll"}, false}, {Color, Component{"ICM", `Color\`, "mscms"}, false},
		{All, Component{"Any", "Dir", ""}, true}, {"", icm, false},
	} {
		if err := c.policy.Check(c.what); (err == nil) != c.takes {
			t.Errorf("%q %+v: %v", c.policy, c.what, err)
		}
	}
	if _, err := ParsePolicy("colour"); err == nil {
		t.Error("a policy that there is not")
	}
}

// profile makes an ICC profile with one tag.
func profile(size int) []byte {
	p := make([]byte, size)
	binary.BigEndian.PutUint32(p, uint32(size))
	p[8], p[9] = 4, 0x30
	copy(p[12:], "prtr")
	copy(p[16:], "CMYKLab ")
	copy(p[36:], "acsp")
	binary.BigEndian.PutUint32(p[128:], 1)
	copy(p[132:], "desc")
	binary.BigEndian.PutUint32(p[136:], 144)
	binary.BigEndian.PutUint32(p[140:], uint32(size-144))
	return p
}

func TestContentUnderColor(t *testing.T) {
	good := profile(400)
	change := func(at int, with string) []byte {
		p := bytes.Clone(good)
		copy(p[at:], with)
		return p
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"profile", good, ""},
		{"ELF", append([]byte("\x7fELF"), good[4:]...), "ELF"},
		{"DLL", append([]byte("MZ"), good[2:]...), "DLL"},
		{"script", []byte("#!/bin/sh\nid\n"), "script"},
		{"zip", []byte("PK\x03\x04..."), "zip"},
		{"empty", nil, "rofile"},
		{"short", good[:100], "rofile"},
		{"truncated", good[:300], "rofile"},
		{"longer", append(bytes.Clone(good), 0), "rofile"},
		{"no signature", change(36, "xxxx"), "rofile"},
		{"version", change(8, "\x63"), "rofile"},
		{"class", change(12, "exec"), "rofile"},
		{"no tags", change(128, "\x00\x00\x00\x00"), "rofile"},
		{"many tags", change(128, "\xff\xff\xff\xff"), "rofile"},
		{"tag outside", change(140, "\xff\xff\xff\xff"), "rofile"},
		{"tag in header", change(136, "\x00\x00\x00\x00"), "rofile"},
	} {
		err := Color.CheckContent(c.name, bytes.NewReader(c.data), int64(len(c.data)))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err := All.CheckContent(c.name, bytes.NewReader(c.data), int64(len(c.data))); err != nil {
			t.Errorf("%s under all: %v", c.name, err)
		}
	}
}

func FuzzProfile(f *testing.F) {
	f.Add(profile(200))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if Color.CheckContent("x", bytes.NewReader(data), int64(len(data))) == nil && (executable(data) != "" || len(data) < 144) {
			t.Fatalf("%q is taken for a profile", data)
		}
	})
}
