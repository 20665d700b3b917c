package attr

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/OpenPrinting/goipp"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{{"abc", 5, "abc"}, {"abcdef", 3, "abc"}, {"aö", 2, "a"}, {"a\xff", 9, "a\ufffd"}, {"", 0, ""}} {
		if got := Cut(c.in, c.most); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.in, c.most, got, c.want)
		}
	}
	if a := Name("n", strings.Repeat("ö", 300)); len(a.Values[0].V.String()) > MaxName || !utf8.ValidString(a.Values[0].V.String()) {
		t.Error("a name is too long or cut in a character")
	}
}

func TestReading(t *testing.T) {
	list := goipp.Attributes{
		Int("n", 7), Int("many", 1, 2), Keyword("k", "a", "b"), Bool("yes", true), Text("t", "x"), NoValue("none"),
		{Name: "lang", Values: goipp.Values{{T: goipp.TagNameLang, V: goipp.TextWithLang{Lang: "de", Text: "Halle"}}}},
	}
	if n, ok, err := ReadInt(list, "n"); n != 7 || !ok || err != nil {
		t.Error(n, ok, err)
	}
	if s, ok, err := ReadText(list, "lang"); s != "Halle" || !ok || err != nil {
		t.Error(s, ok, err)
	}
	if _, ok, err := ReadInt(list, "absent"); ok || err != nil {
		t.Error(ok, err)
	}
	var syntax *SyntaxError
	for name, err := range map[string]error{
		"many": second(ReadInt(list, "many")), "k": second(ReadText(list, "k")), "t": second(ReadBool(list, "t")), "yes": second(ReadTexts(list, "yes")),
	} {
		if !errors.As(err, &syntax) || syntax.Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, _ bool, err error) error { return err }

func TestKeeping(t *testing.T) {
	want := goipp.Attributes{Int("copies", 2), Keyword("sides", "one-sided"), Time("at", time.Unix(1e9, 0)), Collections("c", goipp.Collection{Int("x", 1)})}
	data, err := Encode(goipp.TagJobGroup, want)
	if err != nil {
		t.Fatal(err)
	}
	if got := Decode(data); !got.Similar(want) {
		t.Errorf("%v", got)
	}
	for _, bad := range [][]byte{nil, {1}, data[:len(data)/2], []byte("\x02\x00\x00\x02\x00\x00\x00\x01\x01\x05\x00\x01a\x00\x00\x03")} {
		if got := Decode(bad); len(got) != 0 {
			t.Errorf("%x: %v", bad, got)
		}
	}
}

func TestTooLong(t *testing.T) {
	long := strings.Repeat("x", MaxName+1)
	if got := TooLong(goipp.Attributes{Int("n", 1), {Name: "bad", Values: goipp.Values{{T: goipp.TagName, V: goipp.String(long)}}}}); got != "bad" {
		t.Errorf("%q", got)
	}
	if got := TooLong(goipp.Attributes{{Name: "text", Values: goipp.Values{{T: goipp.TagText, V: goipp.String(long)}}}}); got != "" {
		t.Errorf("%q", got)
	}
}

func FuzzDecode(f *testing.F) {
	data, _ := Encode(goipp.TagJobGroup, goipp.Attributes{Int("copies", 2)})
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if list := Decode(data); len(list) > 0 {
			_ = Select(Want([]string{"all"}), []Source[int]{{Name: list[0].Name, From: func(int) goipp.Attribute { return list[0] }}}, 0)
		}
	})
}
