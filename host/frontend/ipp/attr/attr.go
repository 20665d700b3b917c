// Package attr makes and reads attributes of IPP, with the limits of RFC 8011.
//
// The IPP front end and its rooms import it. It knows syntaxes, not what an attribute
// means.
package attr

import (
	"time"
	"unicode/utf8"

	"github.com/OpenPrinting/goipp"
)

// The greatest lengths of values, in bytes (RFC 8011 section 5.1).
const (
	MaxText    = 1023
	MaxName    = 255
	MaxKeyword = 255
	MaxURI     = 1023
	MaxMime    = 255
	MaxCharset = 63
	MaxLang    = 63
)

// Make makes an attribute of values of one syntax. Without a value it is "no-value".
func Make(name string, tag goipp.Tag, values ...goipp.Value) goipp.Attribute {
	a := goipp.Attribute{Name: name}
	for _, v := range values {
		a.Values.Add(tag, v)
	}
	if len(values) == 0 {
		a.Values.Add(goipp.TagNoValue, goipp.Void{})
	}
	return a
}

func text(name string, tag goipp.Tag, most int, values []string) goipp.Attribute {
	list := make([]goipp.Value, 0, len(values))
	for _, v := range values {
		list = append(list, goipp.String(Cut(v, most)))
	}
	return Make(name, tag, list...)
}

// Cut makes a text valid UTF-8 of at most so many bytes.
func Cut(s string, most int) string {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// Text makes a textWithoutLanguage.
func Text(name string, values ...string) goipp.Attribute {
	return text(name, goipp.TagText, MaxText, values)
}

// Name makes a nameWithoutLanguage.
func Name(name string, values ...string) goipp.Attribute {
	return text(name, goipp.TagName, MaxName, values)
}

// Keyword makes a keyword.
func Keyword(name string, values ...string) goipp.Attribute {
	return text(name, goipp.TagKeyword, MaxKeyword, values)
}

// URI makes a uri.
func URI(name string, values ...string) goipp.Attribute {
	return text(name, goipp.TagURI, MaxURI, values)
}

// Mime makes a mimeMediaType.
func Mime(name string, values ...string) goipp.Attribute {
	return text(name, goipp.TagMimeType, MaxMime, values)
}

// Charset makes a charset.
func Charset(name string, values ...string) goipp.Attribute {
	return text(name, goipp.TagCharset, MaxCharset, values)
}

// Language makes a naturalLanguage.
func Language(name string, values ...string) goipp.Attribute {
	return text(name, goipp.TagLanguage, MaxLang, values)
}

// Octets makes an octetString.
func Octets(name string, values ...string) goipp.Attribute {
	list := make([]goipp.Value, 0, len(values))
	for _, v := range values {
		list = append(list, goipp.Binary(v))
	}
	return Make(name, goipp.TagString, list...)
}

// Int makes an integer.
func Int(name string, values ...int) goipp.Attribute {
	return numbers(name, goipp.TagInteger, values)
}

// Enum makes an enum.
func Enum(name string, values ...int) goipp.Attribute { return numbers(name, goipp.TagEnum, values) }

func numbers(name string, tag goipp.Tag, values []int) goipp.Attribute {
	const most = 1<<31 - 1
	list := make([]goipp.Value, 0, len(values))
	for _, v := range values {
		list = append(list, goipp.Integer(max(min(v, most), -most)))
	}
	return Make(name, tag, list...)
}

// Bool makes a boolean.
func Bool(name string, value bool) goipp.Attribute {
	return Make(name, goipp.TagBoolean, goipp.Boolean(value))
}

// Range makes a rangeOfInteger.
func Range(name string, lower, upper int) goipp.Attribute {
	return Make(name, goipp.TagRange, goipp.Range{Lower: lower, Upper: upper})
}

// DPI makes a resolution of equal axes, in dots per inch.
func DPI(name string, values ...int) goipp.Attribute {
	list := make([]goipp.Value, 0, len(values))
	for _, v := range values {
		list = append(list, goipp.Resolution{Xres: v, Yres: v, Units: goipp.UnitsDpi})
	}
	return Make(name, goipp.TagResolution, list...)
}

// Time makes a dateTime; the zero time is "no-value".
func Time(name string, t time.Time) goipp.Attribute {
	if t.IsZero() {
		return Make(name, goipp.TagNoValue)
	}
	return Make(name, goipp.TagDateTime, goipp.Time{Time: t.UTC()})
}

// UnixTime makes an integer of seconds since 1970, as CUPS counts the time of its
// printers; the zero time is "no-value".
func UnixTime(name string, t time.Time) goipp.Attribute {
	if t.IsZero() {
		return Make(name, goipp.TagNoValue)
	}
	return Int(name, int(t.Unix()))
}

// NoValue makes an attribute that exists and has no value now.
func NoValue(name string) goipp.Attribute { return Make(name, goipp.TagNoValue) }

// Unsupported names an attribute that is not supported (RFC 8011 section 4.1.7).
func Unsupported(name string) goipp.Attribute {
	return Make(name, goipp.TagUnsupportedValue, goipp.Void{})
}

// Collections makes an attribute of collections.
func Collections(name string, values ...goipp.Collection) goipp.Attribute {
	list := make([]goipp.Value, 0, len(values))
	for _, v := range values {
		list = append(list, v)
	}
	return Make(name, goipp.TagBeginCollection, list...)
}
