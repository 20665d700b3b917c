package cupsbackend

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// line is one line of a backend's standard error, taken apart.
type line struct {
	prefix string // INFO, STATE ..., or empty
	text   string
}

// prefixes are those of filter(7), with the level at which each is logged.
func prefixes() map[string]slog.Level {
	return map[string]slog.Level{
		"EMERG": slog.LevelError, "ALERT": slog.LevelError, "CRIT": slog.LevelError, "ERROR": slog.LevelError,
		"WARNING": slog.LevelWarn, "NOTICE": slog.LevelInfo, "INFO": slog.LevelInfo,
		"DEBUG": slog.LevelDebug, "DEBUG2": slog.LevelDebug, "": slog.LevelDebug,
		"STATE": slog.LevelDebug, "ATTR": slog.LevelDebug, "PAGE": slog.LevelDebug, "PPD": slog.LevelDebug, "JOBSTATE": slog.LevelDebug,
	}
}

// parseLine takes a line apart. What has no known prefix is text.
func parseLine(s string) line {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	prefix, text, ok := strings.Cut(s, ":")
	if _, known := prefixes()[prefix]; ok && known && prefix != "" {
		return line{prefix, strings.TrimSpace(text)}
	}
	return line{"", strings.TrimSpace(s)}
}

// The bounds of what is kept and logged.
const (
	mostLine    = 2 << 10
	mostLogged  = 100 // lines of one document, at INFO and above
	mostReasons = 32
	mostAttrs   = 64
)

// reasons is a set of printer-state-reasons.
type reasons map[string]bool

// apply carries out the text of a STATE line: +a,b adds, -a,b removes, a,b replaces.
func (r reasons) apply(text string) {
	add := true
	switch {
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	case strings.HasPrefix(text, "-"):
		text, add = text[1:], false
	default:
		clear(r)
	}
	for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ',' || c == ' ' }) {
		switch {
		case !add:
			delete(r, word)
		case word != "none" && len(word) <= 255 && len(r) < mostReasons:
			r[word] = true
		}
	}
}

// attributes gives the NAME=VALUE pairs of an ATTR line; a value may be quoted.
func attributes(text string) map[string]string {
	out := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		name, rest, ok := strings.Cut(text, "=")
		if !ok || strings.ContainsAny(name, " '\"") || name == "" {
			return out
		}
		out[name], text = value(rest)
	}
	return out
}

// value reads up to the next blank outside quotes; a backslash keeps the next character.
func value(s string) (v, rest string) {
	var b strings.Builder
	var quote rune
	escaped := false
	for i, c := range s {
		switch {
		case escaped:
			b.WriteRune(c)
			escaped = false
		case c == '\\':
			escaped = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote == 0 && c == ' ':
			return b.String(), s[i:]
		default:
			b.WriteRune(c)
		}
	}
	return b.String(), ""
}

// memory is what a port's backends have said of the printer. It outlives a document: a
// backend only tells what changes.
type memory struct {
	mu      sync.Mutex
	reasons reasons
	attrs   map[string]string
}

func newMemory() *memory { return &memory{reasons: reasons{}, attrs: map[string]string{}} }

// state carries out a STATE line and gives the port's condition.
func (m *memory) state(text string) spool.PortStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reasons.apply(text)
	return m.reasons.status()
}

// rest forgets what only a backend that runs could take back, and gives the condition
// that stays.
func (m *memory) rest() spool.PortStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.reasons, func(word string, _ bool) bool { return reasons{word: true}.status().Severity != spool.SeverityWarning })
	return m.reasons.status()
}

func (m *memory) attr(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, v := range attributes(text) {
		if _, have := m.attrs[name]; have || len(m.attrs) < mostAttrs {
			m.attrs[name] = v
		}
	}
}

// attribute gives what an ATTR line said last.
func (m *memory) attribute(name string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.attrs[name]
	return v, ok
}

func (m *memory) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.attrs))
}

// transcript follows one backend's standard error.
type transcript struct {
	log    *slog.Logger
	memory *memory
	tell   func(spool.PortStatus)

	mu     sync.Mutex
	logged int
	failed string // the last ERROR
	doing  string // the last INFO
}

// follow reads to the end. A line that is too long is cut.
func (t *transcript) follow(r io.Reader) {
	in := bufio.NewReaderSize(r, mostLine)
	for {
		text, more, err := in.ReadLine()
		if err != nil {
			return
		}
		first := string(text)
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
		t.take(parseLine(first))
	}
}

func (t *transcript) take(l line) {
	t.record(l)
	switch l.prefix {
	case "STATE":
		t.tell(t.memory.state(l.text))
	case "ATTR":
		t.memory.attr(l.text)
	}
}

func (t *transcript) record(l line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	level := prefixes()[l.prefix]
	switch {
	case level == slog.LevelError:
		t.failed = l.text
	case l.prefix == "INFO" || l.prefix == "WARNING" || l.prefix == "NOTICE":
		t.doing = l.text
	}
	if level >= slog.LevelInfo {
		if t.logged++; t.logged == mostLogged {
			t.log.Warn("the backend says too much; the rest is not logged")
		}
		if t.logged >= mostLogged {
			return
		}
	}
	t.log.Log(context.Background(), level, "backend: "+l.text, "prefix", l.prefix)
}

// words gives the last error, or what the backend last said it was doing.
func (t *transcript) words() (failed, doing string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed, t.doing
}
