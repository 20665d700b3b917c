package portconfig

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestRoundTrip(t *testing.T) {
	want := Config{Name: `HALL "1"/ü`, Settings: map[string]string{"host": "10.0.0.5", "empty": "", "odd": "\n<&>"}}
	got, err := Decode(Encode(want.Name, want.Settings))
	if err != nil || got.Name != want.Name || !maps.Equal(got.Settings, want.Settings) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestMalformed(t *testing.T) {
	for _, in := range []string{
		"", " ", "x", "[]", "null", `"a"`, "{", `{"name":1}`, `{"name":"a","settings":{"port":9100}}`,
		`{"name":"a","setings":{}}`, `{"name":"a"}{}`, `{"name":"a"} x`, "{\"name\":\"\xff\"}", "a\x00\x00\x00",
		`{"name":"` + strings.Repeat("a", MaxSize) + `"}`,
	} {
		if _, err := Decode([]byte(in)); !errors.Is(err, spoolerr.Invalid) || !errors.Is(err, spoolerr.CodeInvalidData) {
			t.Errorf("%.40q: %v", in, err)
		}
	}
	for _, in := range []string{
		"", "\x00", "a\x00\x00", "a\x00b\x00", "a\x00\x00\x00b\x00\x00\x00", "\x00\xd8\x00\x00", "\x00\xdca\x00\x00\x00", "\x00\xd8a\x00\x00\x00",
		`{"name":"a","settings":{"b":"c"}}`,
	} {
		if name, err := DecodeName([]byte(in)); !errors.Is(err, spoolerr.CodeInvalidData) {
			t.Errorf("%q: %q %v", in, name, err)
		}
	}
}

func TestDecodeName(t *testing.T) {
	for _, name := range []string{"lp1", "HALL/ü", "", "𝄞"} {
		for _, in := range [][]byte{Encode(name, nil), EncodeText(name)} {
			if got, err := DecodeName(in); err != nil || got != name {
				t.Errorf("%q from %q: %v", got, in, err)
			}
		}
	}
}

func TestReader(t *testing.T) {
	c := Config{Name: "lp1", Settings: map[string]string{"a": "x", "n": "7", "d": "1m", "b": "true", "reset": ""}}
	r := Read(c)
	if r.Text("a", "") != "x" || r.Required("a") != "x" || r.Text("reset", "def") != "def" ||
		r.Int("n", 1, 7, 7) != 7 || r.Int("m", 1, 7, 7) != 1 || !r.Bool("b", false) || !r.Bool("c", true) ||
		r.Duration("d", 0, time.Second, time.Minute) != time.Minute || r.Duration("e", 5, 0, 0) != 5 {
		t.Error("wrong values")
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

func TestReaderNamesEveryProblem(t *testing.T) {
	c := Config{Name: "lp1", Settings: map[string]string{"n": "8", "d": "5", "b": "maybe", "x": "y"}}
	r := Read(c)
	r.Int("n", 1, 1, 7)
	r.Duration("d", 0, 0, time.Minute)
	r.Bool("b", false)
	r.Required("host")
	err := r.Err()
	for _, want := range []string{`port "lp1"`, "setting n", "from 1 to 7", "setting d", "unit", "true or false", "host is missing", `setting "x" is unknown`, "b, d, host, n"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if !errors.Is(err, spoolerr.Invalid) || !errors.Is(err, spoolerr.CodeInvalidData) {
		t.Errorf("%v", err)
	}
}

func TestManyProblemsStayShort(t *testing.T) {
	c := Config{Settings: map[string]string{}}
	for i := range 1000 {
		c.Settings[strings.Repeat("k", i+1)] = "v"
	}
	if err := Read(c).Err(); err == nil || len(err.Error()) > 2000 || !strings.Contains(err.Error(), "and 992 more") {
		t.Errorf("%v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode("lp1", map[string]string{"host": "a"}))
	f.Add(EncodeText("lp1"))
	f.Add([]byte(`{"name":"\ud800"}`))
	f.Add(make([]byte, 964))
	f.Fuzz(func(t *testing.T, in []byte) {
		if c, err := Decode(in); err == nil {
			again, err := Decode(Encode(c.Name, c.Settings))
			if err != nil || again.Name != c.Name || !maps.Equal(again.Settings, c.Settings) {
				t.Errorf("%+v became %+v, %v", c, again, err)
			}
		}
		if name, err := DecodeName(in); err == nil && !utf8.ValidString(name) {
			t.Errorf("%q is not UTF-8", name)
		}
		if text, err := DecodeText(in); err == nil && string(EncodeText(text)) != string(in) {
			t.Errorf("%q does not come back", in)
		}
		r := Read(Config{Settings: map[string]string{"v": string(in)}})
		r.Int("v", 1, 1, 2)
		r.Duration("v", 1, 1, 2)
		r.Bool("v", true)
		if err := r.Err(); err != nil && !utf8.ValidString(err.Error()) {
			t.Errorf("%q", err)
		}
	})
}
