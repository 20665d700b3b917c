//go:build linux

package supervisor

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the scripts give into testdata")

// TestScripts plays the scripts in testdata/supervisor. A line is a time, an event, the
// state after it and what is done, in columns; an event that failed has its error after a
// colon. The last two columns are what the machine gave when the script was written with
// -update, and was read by a person.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/supervisor/*.script")
	check(t, err)
	if len(paths) == 0 {
		t.Fatal("no scripts")
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".script"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			check(t, err)
			got := play(t, string(want))
			if *update {
				check(t, os.WriteFile(path, []byte(got), 0o600))
				return
			}
			for i, line := range strings.Split(got, "\n") {
				if was := strings.Split(string(want), "\n"); i >= len(was) || line != was[i] {
					t.Fatalf("line %d is\n%s\nwant\n%s", i+1, line, was[min(i, len(was)-1)])
				}
			}
		})
	}
}

// play takes the time and the event from each line and writes the rest anew. Delays are
// in the middle of their jitter.
func play(t *testing.T, script string) string {
	t.Helper()
	begin := time.Unix(0, 0)
	s := state{backoff: DefaultBackoff()}
	var promised time.Duration // when the wait under way is over
	var out strings.Builder
	for i, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		columns := strings.Split(line, "|")
		if strings.HasPrefix(line, "#") || len(columns) < 2 {
			fmt.Fprintln(&out, line)
			continue
		}
		at, err := time.ParseDuration(strings.TrimSpace(columns[0]))
		check(t, err)
		e := scriptEvent(strings.TrimSpace(columns[1]))
		if e.what == onDue && s.phase == phaseWaiting && at != promised {
			t.Errorf("line %d: the wait is over at %v", i+1, promised)
		}
		before := s
		var actions []action
		s, actions = step(s, e, begin.Add(at), 0.5)
		again, _ := step(before, e, begin.Add(at), 0.5)
		if again != s {
			t.Errorf("line %d: the same event in the same state leads to %+v and %+v", i+1, s, again)
		}
		var texts []string
		for _, a := range actions {
			texts = append(texts, a.String())
			if a.do == doSleep {
				promised = at + a.delay
			}
		}
		text := fmt.Sprintf("%-9v | %-38s | %-11s | %s", at, strings.TrimSpace(columns[1]), s.phase, strings.Join(texts, "; "))
		fmt.Fprintln(&out, strings.TrimRight(text, " "))
	}
	return out.String()
}

func scriptEvent(text string) event {
	name, message, failed := strings.Cut(text, ": ")
	e := event{what: what(name)}
	if failed {
		e.err = errors.New(message)
	}
	return e
}

func (a action) String() string {
	switch a.do {
	case doStop:
		return string(a.do) + ": " + a.reason
	case tellWaiting:
		return fmt.Sprintf("%s %v: %v", a.do, a.delay, a.err)
	case doSleep:
		return fmt.Sprintf("%s %v", a.do, a.delay)
	case tellQuarantined:
		return fmt.Sprintf("%s: %v", a.do, a.err)
	}
	return string(a.do)
}
