package monitortest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"unicode/utf8"
)

// What the kit keeps of a module's output.
const (
	maxLine   = 64 << 10 // bytes of a line
	tailLines = 20
)

// output is what a module wrote to standard error, and what to standard output beyond
// the handshake.
type output struct {
	mu     sync.Mutex
	tail   []string
	lines  int
	bad    string // the first line that breaks the rule for log lines
	stdout []byte // at most maxLine bytes
}

// readErr reads standard error to its end.
func (o *output) readErr(r io.Reader) {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			o.add(bytes.TrimRight(line, "\r\n"), errors.Is(err, bufio.ErrBufferFull))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// readOut reads what comes after the handshake.
func (o *output) readOut(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		o.mu.Lock()
		if len(o.stdout) < maxLine {
			o.stdout = append(o.stdout, buf[:n]...)
		}
		o.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (o *output) add(line []byte, cut bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines++
	if len(o.tail) == tailLines {
		o.tail = o.tail[1:]
	}
	text := string(bytes.ToValidUTF8(line[:min(len(line), 500)], []byte("\ufffd")))
	o.tail = append(o.tail, text)
	if why := wrongLine(line, cut); why != "" && o.bad == "" {
		o.bad = fmt.Sprintf("%s: %s", why, text)
	}
}

// wrongLine says what is wrong with a log line: it is text, or hclog's JSON.
func wrongLine(line []byte, cut bool) string {
	switch {
	case cut:
		return "a line is longer than 64 KiB"
	case !utf8.Valid(line):
		return "a line is not UTF-8"
	case bytes.IndexByte(line, 0) >= 0:
		return "a line holds a NUL"
	case !bytes.HasPrefix(line, []byte("{")):
		return ""
	}
	var fields struct {
		Message *string `json:"@message"`
		Level   *string `json:"@level"`
	}
	if err := json.Unmarshal(line, &fields); err != nil || fields.Message == nil || fields.Level == nil {
		return "a line begins with a brace, but is not JSON with the texts @message and @level"
	}
	return ""
}

func (o *output) last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.tail)
}

// writer takes log lines in process.
func (o *output) writer() io.Writer { return lineWriter{o} }

type lineWriter struct{ out *output }

// Write takes one line: slog's handlers write each record at once.
func (w lineWriter) Write(p []byte) (int, error) {
	w.out.add(bytes.TrimRight(p, "\n"), len(p) > maxLine)
	return len(p), nil
}
