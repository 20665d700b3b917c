package form

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The bounds of a page. Lengths are in bytes unless it says otherwise.
const (
	maxFields    = 64
	maxChoices   = 256
	maxFieldName = 64
	maxTitle     = 200
	maxText      = 4096
	maxLabel     = 200
	maxPattern   = 512
	// MaxText is the longest text or secret, in characters, where MaxLength does not say
	// less.
	MaxText = 1024
	// MaxFile is the longest file.
	MaxFile = 512 << 10
)

// Check says what is wrong with a page: a front end shows no page that does not pass.
func (p Page) Check() error {
	switch {
	case len(p.Title) > maxTitle || len(p.Text) > maxText || len(p.Problem) > maxText:
		return badPage("its title, text or problem is too long: the most are %d, %d and %d bytes", maxTitle, maxText, maxText)
	case strings.TrimSpace(p.Title) == "":
		return badPage("it has no title")
	case len(p.Fields) > maxFields:
		return badPage("it has %d fields; the most is %d", len(p.Fields), maxFields)
	}
	seen := make(map[string]bool, len(p.Fields))
	for _, f := range p.Fields {
		if err := f.check(); err != nil {
			return err
		}
		if seen[f.Name] {
			return badPage("it has two fields %s", spool.Quote(f.Name))
		}
		seen[f.Name] = true
	}
	return nil
}

func (f Field) check() error {
	for _, why := range []string{f.checkNames(), f.checkBounds(), f.checkPattern(), f.checkChoices(), f.checkDefault()} {
		if why != "" {
			return badPage("field %s: %s", spool.Quote(f.Name), why)
		}
	}
	return nil
}

func (f Field) checkNames() string {
	switch {
	case !isFieldName(f.Name):
		return fmt.Sprintf("its name is not 1 to %d letters, digits, hyphens and underscores", maxFieldName)
	case strings.TrimSpace(f.Label) == "" || len(f.Label) > maxLabel:
		return fmt.Sprintf("its label is empty or longer than %d bytes", maxLabel)
	case len(f.Help) > maxText || len(f.Problem) > maxText || len(f.PatternHelp) > maxText:
		return fmt.Sprintf("its help or problem is longer than %d bytes", maxText)
	}
	return ""
}

func (f Field) checkBounds() string {
	switch {
	case f.Type < 0 || f.Type >= typeCount:
		return fmt.Sprintf("its type %d is unknown", f.Type)
	case f.Min > f.Max:
		return "its least number is greater than its greatest"
	case f.MaxLength < 0 || f.MaxLength > f.most():
		return fmt.Sprintf("its greatest length is %d; the most is %d", f.MaxLength, f.most())
	}
	return ""
}

func (f Field) checkDefault() string {
	switch {
	case f.Default == "":
		return ""
	case len(f.Default) > maxText:
		return fmt.Sprintf("its default is longer than %d bytes", maxText)
	case f.Type == Secret || f.Type == File:
		return "it has a default, which a secret or a file cannot have"
	case f.Problem != "": // beside a problem stands the answer that has it
		return ""
	}
	if why := f.Refusal(f.initial()); why != "" {
		return "its own default will not do: " + why
	}
	return ""
}

func (f Field) checkPattern() string {
	_, err := f.pattern()
	switch {
	case f.Pattern == "":
		return ""
	case len(f.Pattern) > maxPattern:
		return fmt.Sprintf("its pattern is longer than %d bytes", maxPattern)
	case f.PatternHelp == "":
		return "it does not say in words what its pattern wants"
	case err != nil:
		return err.Error()
	}
	return ""
}

func (f Field) pattern() (*regexp.Regexp, error) { return regexp.Compile(`\A(?:` + f.Pattern + `)\z`) }

func (f Field) checkChoices() string {
	if (f.Type == OneOf) != (len(f.Choices) > 0) || len(f.Choices) > maxChoices {
		return fmt.Sprintf("it has %d choices; a field of type OneOf has 1 to %d, others none", len(f.Choices), maxChoices)
	}
	for i, c := range f.Choices {
		switch {
		case c.Value == "" || len(c.Value) > maxLabel || len(c.Label) > maxLabel:
			return fmt.Sprintf("choice %d has no value, or is longer than %d bytes", i+1, maxLabel)
		case slices.ContainsFunc(f.Choices[:i], func(other Choice) bool { return other.Value == c.Value }):
			return fmt.Sprintf("choice %s is there twice", spool.Quote(c.Value))
		}
	}
	return ""
}

func isFieldName(name string) bool {
	return name != "" && len(name) <= maxFieldName && !strings.ContainsFunc(name, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
	})
}

func badPage(why string, args ...any) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "the page cannot be shown: %s", fmt.Sprintf(why, args...))
}

// most is how long an answer may be.
func (f Field) most() int {
	if f.Type == File {
		return MaxFile
	}
	return MaxText
}

// Refusal says why an answer will not do; empty if it does.
func (f Field) Refusal(a Answer) string {
	empty := a.Value == "" || f.Type == Check && a.Value == "false"
	switch {
	case !utf8.ValidString(a.Value):
		return "this is not valid text"
	case empty && f.Required:
		return "this is required"
	case a.Value == "" && len(a.Content) > 0:
		return "the file has no name"
	case empty && f.Type != Check:
		return ""
	}
	switch f.Type {
	case Number:
		return f.refuseNumber(a.Value)
	case OneOf:
		return f.refuseChoice(a.Value)
	case Check:
		return refuseCheck(a.Value)
	case File:
		return f.refuseFile(a)
	default:
		return f.refuseText(a.Value)
	}
}

func refuseCheck(s string) string {
	if s != "true" && s != "false" {
		return "give true or false"
	}
	return ""
}

func (f Field) refuseNumber(s string) string {
	n, err := strconv.ParseInt(s, 10, 64)
	bounded := f.Min != 0 || f.Max != 0
	switch {
	case bounded && (err != nil || n < f.Min || n > f.Max):
		return fmt.Sprintf("give a whole number from %d to %d", f.Min, f.Max)
	case err != nil:
		return "give a whole number"
	}
	return ""
}

func (f Field) refuseChoice(s string) string {
	values := make([]string, 0, len(f.Choices))
	for _, c := range f.Choices {
		if c.Value == s {
			return ""
		}
		values = append(values, c.Value)
	}
	const most = 12
	if len(values) > most {
		values = append(values[:most], "...")
	}
	return "choose one of " + strings.Join(values, ", ")
}

func (f Field) refuseFile(a Answer) string {
	if most := f.limit(); len(a.Content) > most {
		return fmt.Sprintf("the file has %d bytes; the most is %d", len(a.Content), most)
	}
	return ""
}

func (f Field) refuseText(s string) string {
	if n, most := utf8.RuneCountInString(s), f.limit(); n > most {
		return fmt.Sprintf("this has %d characters; the most is %d", n, most)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "this contains a character that cannot be printed"
	}
	if f.Pattern == "" {
		return ""
	}
	if re, err := f.pattern(); err != nil || !re.MatchString(s) {
		return f.PatternHelp
	}
	return ""
}

func (f Field) limit() int {
	if f.MaxLength > 0 {
		return f.MaxLength
	}
	return f.most()
}

// AskValid asks for a page until its answers fit. Adapters and test kits use it: a UI
// that calls Dialogue.Ask has its answers checked already.
func AskValid(ctx context.Context, page Page, ask func(context.Context, Page) (Answers, error)) (Answers, error) {
	if err := page.Check(); err != nil {
		return nil, err
	}
	const patience = 100
	shown := page
	for range patience {
		answers, err := ask(ctx, shown)
		if err != nil {
			return nil, err
		}
		judged, complete, ok := page.Judge(answers)
		if ok {
			return complete, nil
		}
		shown = judged
	}
	return nil, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "page %s was answered wrongly %d times", spool.Quote(page.Title), patience)
}
