package lpr

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// The limits of RFC 1179 section 7, in bytes.
const (
	mostHost   = 31
	mostUser   = 31
	mostTitle  = 99
	mostSource = 131
)

// names are the two files of a job: cfA and dfA, the job's number and the sender.
type names struct{ control, data string }

// jobNames gives the files' names. The number has three digits, so it comes round after a
// thousand jobs; daemons tell jobs of one number apart by the sender.
func jobNames(job uint64, sender string) names {
	tail := fmt.Sprintf("%03d%s", job%1000, sender)
	return names{control: "cfA" + tail, data: "dfA" + tail}
}

// senderName makes a server's name fit for a file name and a host name.
func senderName(server string) string {
	keep := func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '.') {
			return r
		}
		return '-'
	}
	name := strings.Trim(limit(strings.Map(keep, server), mostHost), "-.")
	if name == "" {
		return "spoolhost"
	}
	return name
}

// controlFile is the text that describes a job. The order of its lines is that of BSD's
// lpr, on which some printers rely.
func (s Settings) controlFile(doc spool.Doc, n names) string {
	title := line(doc.Title, mostTitle, "document")
	user := line(doc.User, mostUser, "nobody")
	var b strings.Builder
	put := func(code byte, text string) { fmt.Fprintf(&b, "%c%s\n", code, text) }
	put('H', senderName(s.Sender))
	put('P', user)
	put('J', title)
	if s.Banner {
		put('L', user)
	}
	put(s.Format, n.data)
	put('U', n.data)
	put('N', line(doc.Title, mostSource, "document"))
	return b.String()
}

// line makes a text one line: nothing in it can begin another.
func line(text string, most int, empty string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if text = strings.TrimSpace(limit(text, most)); text != "" {
		return text
	}
	return empty
}

// limit cuts a text to most bytes, between characters.
func limit(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
