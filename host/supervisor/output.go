package supervisor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// What a module writes is untrusted: lines are cut, cleaned, counted against a rate, and
// never parsed by anything that could panic.
const (
	maxLine      = 2 << 10 // bytes kept of one line
	tailLines    = 50      // lines kept for monitor show
	linesPerSec  = 200     // lines passed on a second; the rest are counted
	lineBurst    = 1000
	maxFieldText = 512
)

// Line is one line of a module's output.
type Line struct {
	Time  time.Time
	Level string // "debug", "info", "warn", "error"; "info" for plain lines
	Text  string
	// Complaint marks what the host has to say of the module, rather than the module.
	Complaint bool
}

// output collects the lines of one process.
type output struct {
	now  func() time.Time
	sink func(Line)
	pace *rate.Limiter

	mu   sync.Mutex
	tail []rawLine
	// panicked is how a Go program begins to die; the trace that follows may be longer
	// than the tail.
	panicked rawLine
	tokens   float64
	last     time.Time
	dropped  int
}

// rawLine is not parsed before somebody reads it: a flood must cost little.
type rawLine struct {
	time time.Time
	text []byte
}

func (l rawLine) parse() Line {
	line := parseLine(l.text)
	line.Time = l.time
	return line
}

func newOutput(now func() time.Time, sink func(Line)) *output {
	return &output{now: now, sink: sink, pace: rate.NewLimiter(outputRate, outputBurst), tokens: lineBurst, last: now()}
}

// consume reads r to its end, whatever comes.
func (o *output) consume(r *bufio.Reader) {
	for {
		line, err := readLine(r)
		if len(line) > 0 {
			o.add(line)
		}
		if err != nil {
			return
		}
	}
}

// readLine reads a whole line but keeps only its first maxLine bytes.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if room := maxLine - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// add keeps a line, always, and passes it on if the rate allows.
func (o *output) add(text []byte) {
	raw := rawLine{time: o.now(), text: bytes.Clone(text)}
	o.mu.Lock()
	if len(o.tail) == tailLines {
		o.tail = o.tail[1:]
	}
	o.tail = append(o.tail, raw)
	if bytes.HasPrefix(text, []byte("panic: ")) || bytes.HasPrefix(text, []byte("fatal error: ")) {
		o.panicked = raw
	}
	pass, lost := o.take(raw.time), 0
	if pass {
		lost, o.dropped = o.dropped, 0
	} else {
		o.dropped++
	}
	o.mu.Unlock()
	if pass && o.sink != nil {
		o.sayLost(raw.time, lost)
		o.sink(raw.parse())
	}
}

// flush reports the lines left out so far; nothing may follow to report them with.
func (o *output) flush() {
	o.mu.Lock()
	lost := o.dropped
	o.dropped = 0
	o.mu.Unlock()
	if o.sink != nil {
		o.sayLost(o.now(), lost)
	}
}

func (o *output) sayLost(now time.Time, lost int) {
	if lost > 0 {
		o.sink(Line{Time: now, Level: "warn", Complaint: true, Text: "lines left out because the module writes too many: " + strconv.Itoa(lost)})
	}
}

// complain passes on what the host has to say of the module.
func (o *output) complain(text string) {
	if o.sink != nil {
		o.sink(Line{Time: o.now(), Level: "warn", Complaint: true, Text: text})
	}
}

// take is a token bucket; o.mu is held.
func (o *output) take(now time.Time) bool {
	o.tokens = min(lineBurst, o.tokens+now.Sub(o.last).Seconds()*linesPerSec)
	o.last = now
	if o.tokens < 1 {
		return false
	}
	o.tokens--
	return true
}

// Tail gives the last lines.
func (o *output) Tail() []Line {
	o.mu.Lock()
	raw := slices.Clone(o.tail)
	o.mu.Unlock()
	lines := make([]Line, 0, len(raw))
	for _, l := range raw {
		lines = append(lines, l.parse())
	}
	return lines
}

// panicText is how a Go program died, to be put after the way it ended; or empty.
func (o *output) panicText() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.panicked.text == nil {
		return ""
	}
	return ": " + brief(o.panicked)
}

// brief is a line's text as it fits into an error message.
func brief(l rawLine) string {
	const most = 300
	text := l.parse().Text
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// lastWords is the line that says most about an end: a Go program's panic, or the last.
func (o *output) lastWords() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.panicked.text != nil:
		return brief(o.panicked)
	case len(o.tail) > 0:
		return brief(o.tail[len(o.tail)-1])
	}
	return ""
}

// parseLine understands hclog's JSON and takes everything else as plain text.
func parseLine(raw []byte) Line {
	text := spoolgrpc.Clean(string(trimNewline(raw)))
	line := Line{Level: "info", Text: text}
	if len(raw) == 0 || raw[0] != '{' {
		return line
	}
	var fields map[string]any
	if json.Unmarshal(raw, &fields) != nil {
		return line
	}
	message, ok := fields["@message"].(string)
	if !ok {
		return line
	}
	line.Text = spoolgrpc.Clean(message)
	if level, ok := fields["@level"].(string); ok {
		line.Level = knownLevel(level)
	}
	delete(fields, "@message")
	delete(fields, "@level")
	delete(fields, "@timestamp")
	delete(fields, "@module")
	if rest, err := json.Marshal(fields); err == nil && len(fields) > 0 && len(rest) <= maxFieldText {
		line.Text += " " + spoolgrpc.Clean(string(rest))
	}
	return line
}

func knownLevel(s string) string {
	switch s {
	case "trace", "debug", "TRACE", "DEBUG":
		return "debug"
	case "warn", "WARN", "warning":
		return "warn"
	case "error", "ERROR":
		return "error"
	}
	return "info"
}

func trimNewline(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// lineWriter cuts one of go-plugin's stdio streams, which come in pieces, into lines.
type lineWriter struct {
	out *output

	mu   sync.Mutex
	part []byte // of a line whose end has not come
}

var _ io.Writer = (*lineWriter)(nil)

func (w *lineWriter) Write(p []byte) (int, error) {
	_ = w.out.pace.WaitN(context.Background(), min(len(p), outputBurst))
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := p; len(rest) > 0; {
		piece, after, whole := bytes.Cut(rest, []byte("\n"))
		room := maxLine - len(w.part)
		w.part = append(w.part, piece[:min(len(piece), room)]...)
		if whole {
			w.out.add(w.part)
			w.part = w.part[:0]
		}
		rest = after
	}
	return len(p), nil
}

// end takes an unfinished line as a line.
func (w *lineWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) > 0 {
		w.out.add(w.part)
		w.part = nil
	}
}
