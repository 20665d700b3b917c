package form

import (
	"maps"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Page is what a person is asked at once. A page without fields is read and confirmed.
type Page struct {
	Title string
	// Text explains; lines end with a line feed.
	Text string
	// Problem says what is wrong with the answers as a whole, when a page is asked again.
	Problem string
	Fields  []Field
}

// Field is one question. Its zero value asks for a text.
type Field struct {
	// Name is what scripts and Answers know the field by: letters, digits, hyphens and
	// underscores, at most 64, unique on the page.
	Name string
	// Label is what the person sees; Help explains what is wanted.
	Label, Help string
	Type        Type
	// Default is the answer to begin with, in the form of Answer.Value. Secrets and files
	// have none.
	Default string
	// Required refuses an empty answer, and a check that is not set.
	Required bool
	// Pattern is an RE2 expression that a whole text or secret must match, if it is not
	// empty; PatternHelp says what it wants.
	Pattern, PatternHelp string
	// Min and Max bound a number, unless both are 0.
	Min, Max int64
	// MaxLength bounds a text or secret in characters, a file in bytes; 0 is 1024, and
	// 512 KiB.
	MaxLength int
	// Choices are what a choice is made of.
	Choices []Choice
	// Problem says what is wrong with the last answer, when a page is asked again.
	Problem string
}

// Type says what a field asks for.
type Type int

// The types.
const (
	Text Type = iota
	// Number is a whole number.
	Number
	// OneOf is one of the field's choices.
	OneOf
	// Secret is a text that is not shown, kept or logged.
	Secret
	// Check is yes or no.
	Check
	// File is a file of the person's machine.
	File

	typeCount
)

// Choice is a value of a field of type OneOf, and what the person sees of it.
type Choice struct{ Value, Label string }

// Answers are the answers to a page, by the names of its fields.
type Answers map[string]Answer

// Answer is the answer to one field.
type Answer struct {
	// Value is a text, a decimal number, a choice's value, "true" or "false", or a file's
	// name without directories.
	Value string
	// Content is what a file holds.
	Content []byte
}

// Text gives an answer as it was written.
func (a Answers) Text(field string) string { return a[field].Value }

// Int gives a number; 0 if there was no answer.
func (a Answers) Int(field string) int64 {
	n, _ := strconv.ParseInt(a[field].Value, 10, 64) // it was checked
	return n
}

// Bool gives a check.
func (a Answers) Bool(field string) bool { return a[field].Value == "true" }

// File gives a file; nil if there was no answer.
func (a Answers) File(field string) (name string, content []byte) {
	f := a[field]
	return f.Value, f.Content
}

// Settings gives the answers as portconfig takes settings: without the empty ones, which
// have their defaults, and without the fields named.
func (a Answers) Settings(without ...string) map[string]string {
	settings := make(map[string]string, len(a))
	for name, answer := range a {
		if answer.Value != "" {
			settings[name] = answer.Value
		}
	}
	for _, name := range without {
		delete(settings, name)
	}
	return settings
}

// With gives the page with other defaults, so that a person who sees it again finds what
// was answered. Secrets and files have to be given again.
func (p Page) With(answers Answers) Page {
	fields := make([]Field, len(p.Fields))
	for i, f := range p.Fields {
		answer, ok := answers[f.Name]
		if ok && f.Type != Secret && f.Type != File && len(answer.Value) <= maxText && utf8.ValidString(answer.Value) {
			f.Default = answer.Value
		}
		fields[i] = f
	}
	p.Fields = fields
	return p
}

// Refuse gives the page with a problem of one field, or of the whole page if field is
// empty.
func (p Page) Refuse(field, problem string) Page {
	if field == "" {
		p.Problem = problem
		return p
	}
	fields := make([]Field, len(p.Fields))
	copy(fields, p.Fields)
	for i := range fields {
		if fields[i].Name == field {
			fields[i].Problem = problem
		}
	}
	p.Fields = fields
	return p
}

// Defaults gives the answers of somebody who changes nothing.
func (p Page) Defaults() Answers {
	answers := make(Answers, len(p.Fields))
	for _, f := range p.Fields {
		answers[f.Name] = f.initial()
	}
	return answers
}

func (f Field) initial() Answer {
	switch {
	case f.Type == Check && f.Default == "":
		return Answer{Value: "false"}
	case f.Type == OneOf && f.Default == "" && f.Required && len(f.Choices) > 0:
		return Answer{Value: f.Choices[0].Value}
	}
	return Answer{Value: f.Default}
}

// Judge gives the page with what is wrong with the answers; ok says that nothing is. A
// field without an answer has its default.
func (p Page) Judge(answers Answers) (judged Page, complete Answers, ok bool) {
	complete = p.Defaults()
	maps.Copy(complete, answers)
	judged, ok = p.With(answers), true
	judged.Problem = ""
	for i, f := range p.Fields {
		answer := complete[f.Name]
		if f.Type == File {
			answer.Value = baseName(answer.Value)
			complete[f.Name] = answer
		}
		judged.Fields[i].Problem = f.Refusal(answer)
		ok = ok && judged.Fields[i].Problem == ""
	}
	for name := range complete {
		if p.field(name) == nil {
			judged.Problem, ok = "this page has no field "+strconv.QuoteToASCII(name[:min(len(name), maxFieldName)]), false
		}
	}
	return judged, complete, ok
}

func (p Page) field(name string) *Field {
	for i := range p.Fields {
		if p.Fields[i].Name == name {
			return &p.Fields[i]
		}
	}
	return nil
}

// baseName takes the directories off a file's name, of whatever system.
func baseName(name string) string {
	if name == "" {
		return ""
	}
	return path.Base(strings.ReplaceAll(name, `\`, "/"))
}
