package client

import (
	"fmt"
	"strings"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Step is one thing that was done for a connection, in the order of Microsoft's "Downloading
// Queue-Specific Files".
type Step struct {
	// Number is that of the ten steps; deletions and refreshes have those of what they repeat,
	// and 0 for what is no step.
	Number int
	// Call is a function with its arguments as they were.
	Call string
	// Result is ERROR_SUCCESS, an error, or what came of it.
	Result string
}

// String gives a line.
func (s Step) String() string { return fmt.Sprintf("%2d  %s = %s", s.Number, s.Call, s.Result) }

// Watcher is told how a connection gets on, and must not block.
type Watcher interface {
	// Step is told each step when it is done.
	Step(s Step)
	// Files is told how many files and bytes have come, of how many.
	Files(done, all int, bytes, total int64)
}

type nobody struct{}

func (nobody) Step(Step)                    {}
func (nobody) Files(int, int, int64, int64) {}

// trace keeps the steps of one operation. It is bounded: a server can make many.
type trace struct {
	watcher Watcher
	mu      sync.Mutex
	steps   []Step
}

const maxSteps = 10_000

func (t *trace) add(number int, result string, format string, args ...any) {
	s := Step{Number: number, Call: fmt.Sprintf(format, args...), Result: result}
	t.mu.Lock()
	room := len(t.steps) < maxSteps
	if room {
		t.steps = append(t.steps, s)
	}
	t.mu.Unlock()
	if room {
		t.watcher.Step(s)
	}
}

// outcome is how the trace gives an error.
func outcome(err error) string {
	if err == nil {
		return "ERROR_SUCCESS"
	}
	return fmt.Sprintf("%d (%s)", uint32(spoolerr.CodeOf(err)), err)
}

// quoted gives a string as it stands in the trace: a name with backslashes stays readable.
func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func newTrace(w Watcher) *trace {
	if w == nil {
		w = nobody{}
	}
	return &trace{watcher: w}
}

// all gives the steps so far.
func (t *trace) all() []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.steps
}

// progress counts files and bytes of one session.
type progress struct {
	watcher Watcher

	mu           sync.Mutex
	done, all    int
	bytes, total int64
}

// announce adds files that are to come.
func (p *progress) announce(files []File) {
	var size int64
	for _, f := range files {
		size += f.Size
	}
	p.tell(func() { p.all, p.total = p.all+len(files), p.total+size })
}

// moved adds bytes that came.
func (p *progress) moved(n int) { p.tell(func() { p.bytes += int64(n) }) }

// finished adds a file that is in its place; present says that it was there already.
func (p *progress) finished(f File, present bool) {
	p.tell(func() {
		if p.done++; present {
			p.total -= f.Size
		}
	})
}

// tell changes the counts and tells them, one after the other.
func (p *progress) tell(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.watcher.Files(p.done, p.all, p.bytes, p.total)
}
