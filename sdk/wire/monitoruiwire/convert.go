// Package monitoruiwire carries dialogues over the wire: pages and answers as messages,
// and the host's side of the MonitorUI service. sdk/monitorui imports it for the module's
// side, the host and the test kits for theirs, and front ends for the messages.
//
// Nothing that a module sends is trusted: pages are checked and cleaned here, and a broken
// contract becomes a spoolerr.Internal that says what the module did. It sets no deadlines
// and launches nothing; host/dialogue does.
package monitoruiwire

import (
	"strings"
	"unicode"
	"unicode/utf8"

	monitoruiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitorui/v1"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
)

// PageToProto gives a page as a message; text that is not UTF-8 is put right.
func PageToProto(p form.Page) *monitoruiv1.Page {
	m := &monitoruiv1.Page{Title: valid(p.Title), Text: valid(p.Text), Problem: valid(p.Problem)}
	for _, f := range p.Fields {
		out := &monitoruiv1.Field{
			Name: valid(f.Name), Label: valid(f.Label), Help: valid(f.Help), Type: typeToProto(f.Type), DefaultValue: valid(f.Default),
			Required: f.Required, Pattern: valid(f.Pattern), PatternHelp: valid(f.PatternHelp), Min: f.Min, Max: f.Max,
			MaxLength: uint32(max(f.MaxLength, 0)), Problem: valid(f.Problem),
		}
		for _, c := range f.Choices {
			out.Choices = append(out.Choices, &monitoruiv1.Choice{Value: valid(c.Value), Label: valid(c.Label)})
		}
		m.Fields = append(m.Fields, out)
	}
	return m
}

// PageFromProto gives a page fit to be shown: within its bounds, and without a character
// that could do something to a terminal.
func PageFromProto(m *monitoruiv1.Page) (form.Page, error) {
	p := form.Page{Title: line(m.GetTitle()), Text: lines(m.GetText()), Problem: lines(m.GetProblem())}
	const most = 1000 // the page's own check has smaller bounds, and words for them
	for _, f := range m.GetFields()[:min(len(m.GetFields()), most)] {
		in := form.Field{
			Name: f.GetName(), Label: line(f.GetLabel()), Help: lines(f.GetHelp()), Type: typeFromProto(f.GetType()), Default: line(f.GetDefaultValue()),
			Required: f.GetRequired(), Pattern: f.GetPattern(), PatternHelp: line(f.GetPatternHelp()), Min: f.GetMin(), Max: f.GetMax(),
			MaxLength: int(f.GetMaxLength()), Problem: line(f.GetProblem()),
		}
		for _, c := range f.GetChoices()[:min(len(f.GetChoices()), most)] {
			in.Choices = append(in.Choices, form.Choice{Value: line(c.GetValue()), Label: line(c.GetLabel())})
		}
		p.Fields = append(p.Fields, in)
	}
	return p, p.Check()
}

// AnswersToProto gives answers as a message.
func AnswersToProto(a form.Answers) *monitoruiv1.Answers {
	m := &monitoruiv1.Answers{}
	for name, answer := range a {
		m.Answers = append(m.Answers, &monitoruiv1.Answer{Field: valid(name), Value: valid(answer.Value), Content: answer.Content})
	}
	return m
}

// AnswersFromProto gives answers as they came; a page's Judge says whether they will do.
func AnswersFromProto(m *monitoruiv1.Answers) form.Answers {
	a := make(form.Answers, len(m.GetAnswers()))
	for _, answer := range m.GetAnswers() {
		a[answer.GetField()] = form.Answer{Value: answer.GetValue(), Content: answer.GetContent()}
	}
	return a
}

// valid makes an author's text fit for the wire, where one bad byte would spoil the page.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// lines cleans text of several lines, line one of one.
func lines(s string) string {
	parts := strings.Split(s, "\n")
	for i, p := range parts {
		parts[i] = line(p)
	}
	return strings.Join(parts, "\n")
}

func line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

func typeToProto(t form.Type) monitoruiv1.FieldType {
	return monitoruiv1.FieldType(t) + monitoruiv1.FieldType_FIELD_TYPE_TEXT
}

func typeFromProto(t monitoruiv1.FieldType) form.Type {
	if t == monitoruiv1.FieldType_FIELD_TYPE_UNSPECIFIED {
		return form.Text
	}
	return form.Type(t - monitoruiv1.FieldType_FIELD_TYPE_TEXT)
}

// NoticeToProto gives a notice as a message.
func NoticeToProto(n Notice) *monitoruiv1.Notice {
	return &monitoruiv1.Notice{Text: valid(n.Text), Percent: int32(n.Percent)}
}

// NoticeFromProto gives a notice fit to be shown.
func NoticeFromProto(m *monitoruiv1.Notice) Notice {
	const most = 1000
	text := m.GetText()
	if len(text) > most {
		text = text[:most] + "..."
	}
	return Notice{Text: line(valid(text)), Percent: min(max(int(m.GetPercent()), -1), 100)}
}
