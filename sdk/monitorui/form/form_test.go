package form

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func page(f Field) Page {
	if f.Name == "" {
		f.Name = "f"
	}
	if f.Label == "" {
		f.Label = "Label"
	}
	return Page{Title: "Title", Fields: []Field{f}}
}

func TestCheck(t *testing.T) {
	long := strings.Repeat("x", 5000)
	good := []Page{
		{Title: "Only text"},
		page(Field{}),
		page(Field{Type: Number, Min: -5, Max: 5, Default: "-5"}),
		page(Field{Type: OneOf, Choices: []Choice{{Value: "a"}}, Default: "a"}),
		page(Field{Type: Secret, Pattern: "[a-z]+", PatternHelp: "letters"}),
		page(Field{Default: "wrong", Pattern: "right", PatternHelp: "right", Problem: "give right"}), // shown again
	}
	for _, p := range good {
		if err := p.Check(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	bad := map[string]Page{
		"no title":        {},
		"long text":       {Title: "t", Text: long},
		"too many fields": {Title: "t", Fields: make([]Field, 65)},
		"twice":           {Title: "t", Fields: []Field{{Name: "a", Label: "a"}, {Name: "a", Label: "b"}}},
		"bad name":        page(Field{Name: "a b"}),
		"no label":        page(Field{Label: " "}),
		"long help":       page(Field{Help: long}),
		"type":            page(Field{Type: 99}),
		"range":           page(Field{Min: 2, Max: 1}),
		"length":          page(Field{MaxLength: MaxText + 1}),
		"negative":        page(Field{MaxLength: -1}),
		"pattern":         page(Field{Pattern: "(", PatternHelp: "x"}),
		"no words":        page(Field{Pattern: "a"}),
		"no choices":      page(Field{Type: OneOf}),
		"stray choices":   page(Field{Choices: []Choice{{Value: "a"}}}),
		"choice twice":    page(Field{Type: OneOf, Choices: []Choice{{Value: "a"}, {Value: "a"}}}),
		"wrong default":   page(Field{Type: Number, Default: "x"}),
		"secret default":  page(Field{Type: Secret, Default: "x"}),
		"file default":    page(Field{Type: File, Default: "x"}),
	}
	for name, p := range bad {
		if err := p.Check(); !errors.Is(err, spoolerr.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusal(t *testing.T) {
	port := Field{Type: Number, Min: 1, Max: 65535}
	for _, c := range []struct {
		f      Field
		answer Answer
		say    string // empty: it fits
	}{
		{Field{}, Answer{}, ""},
		{Field{Required: true}, Answer{}, "required"},
		{Field{Type: Check, Required: true}, Answer{Value: "false"}, "required"},
		{Field{Type: Check}, Answer{Value: "yes"}, "true or false"},
		{port, Answer{Value: "65535"}, ""},
		{port, Answer{Value: "0"}, "from 1 to 65535"},
		{port, Answer{Value: "99999999999999999999"}, "from 1 to 65535"},
		{Field{Type: Number}, Answer{Value: "1.5"}, "whole number"},
		{Field{Type: OneOf, Choices: []Choice{{Value: "a"}, {Value: "b"}}}, Answer{Value: "c"}, "a, b"},
		{Field{MaxLength: 2}, Answer{Value: "äöü"}, "3 characters"},
		{Field{}, Answer{Value: "a\x1b"}, "cannot be printed"},
		{Field{}, Answer{Value: "a\xff"}, "not valid"},
		{Field{Pattern: "a|b", PatternHelp: "a or b"}, Answer{Value: "ab"}, "a or b"},
		{Field{Type: File, MaxLength: 3}, Answer{Value: "f", Content: []byte("four")}, "4 bytes"},
		{Field{Type: File}, Answer{Content: []byte("x")}, "no name"},
	} {
		if got := c.f.Refusal(c.answer); (got == "") != (c.say == "") || !strings.Contains(got, c.say) {
			t.Errorf("%+v: %q", c.f, got)
		}
	}
}

func TestJudge(t *testing.T) {
	p := Page{Title: "t", Fields: []Field{
		{Name: "host", Label: "Host", Required: true}, {Name: "port", Label: "Port", Type: Number, Min: 1, Max: 9, Default: "5"},
		{Name: "secret", Label: "Secret", Type: Secret}, {Name: "ok", Label: "OK", Type: Check}, {Name: "file", Label: "File", Type: File},
	}}
	judged, _, ok := p.Judge(Answers{"port": {Value: "10"}, "secret": {Value: "s"}, "more": {}})
	if ok || judged.Fields[0].Problem == "" || judged.Fields[1].Problem == "" || judged.Fields[1].Default != "10" ||
		judged.Fields[2].Default != "" || !strings.Contains(judged.Problem, "more") || judged.Check() != nil {
		t.Errorf("%+v", judged)
	}
	if p.Fields[0].Problem != "" || p.Fields[1].Default != "5" {
		t.Errorf("the page itself was changed: %+v", p)
	}
	_, complete, ok := p.Judge(Answers{"host": {Value: "h"}, "file": {Value: `C:\x\y.ppd`, Content: []byte("z")}})
	name, content := complete.File("file")
	if !ok || complete.Text("host") != "h" || complete.Int("port") != 5 || complete.Bool("ok") || name != "y.ppd" || string(content) != "z" {
		t.Errorf("%v %+v", ok, complete)
	}
}

func TestAskValid(t *testing.T) {
	p := page(Field{Required: true})
	asked := 0
	answers, err := AskValid(t.Context(), p, func(_ context.Context, shown Page) (Answers, error) {
		asked++
		if asked == 1 {
			return nil, nil
		}
		if shown.Fields[0].Problem == "" {
			t.Error("the person does not learn what was wrong")
		}
		return Answers{"f": {Value: "x"}}, nil
	})
	if err != nil || asked != 2 || answers.Text("f") != "x" {
		t.Errorf("%v %v after %d pages", answers, err, asked)
	}
	asked = 0
	if _, err := AskValid(t.Context(), p, func(context.Context, Page) (Answers, error) { asked++; return nil, nil }); err == nil || asked > 1000 {
		t.Errorf("%d times, %v", asked, err)
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("f", "x", "[a-z]+", 1, 0)
	f.Add("f", "\xff", "(", 3, 2)
	f.Fuzz(func(t *testing.T, name, value, pattern string, kind, length int) {
		p := page(Field{Name: name, Type: Type(kind), Pattern: pattern, PatternHelp: "x", MaxLength: length, Default: value})
		if p.Check() != nil {
			return
		}
		if _, _, ok := p.Judge(nil); !ok {
			t.Errorf("a page that passes refuses its own default: %+v", p)
		}
		judged, _, _ := p.Judge(Answers{name: {Value: value + "\x00"}})
		if err := judged.Check(); err != nil {
			t.Errorf("it cannot be shown again: %v", err)
		}
	})
}
