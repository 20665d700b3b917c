package cluster

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the scripts give into testdata")

// TestScripts plays the scripts in testdata. A line is an event, the state after it and
// what is done, in columns; those of the fence begin with the time. The last two columns are
// what the machine gave when the script was written with -update, and was read by a person.
func TestScripts(t *testing.T) {
	for _, kind := range []struct {
		dir  string
		play func(*testing.T) func(columns []string) string
	}{{"fence", playFence}, {"owner", playOwner}} {
		paths, err := filepath.Glob("testdata/" + kind.dir + "/*.script")
		if err != nil || len(paths) == 0 {
			t.Fatal("no scripts", err)
		}
		for _, path := range paths {
			t.Run(kind.dir+"/"+strings.TrimSuffix(filepath.Base(path), ".script"), func(t *testing.T) {
				playFile(t, path, kind.play(t))
			})
		}
	}
}

func playFile(t *testing.T, path string, play func(columns []string) string) {
	t.Helper()
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(string(want), "\n"), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			line = strings.TrimRight(play(strings.Split(line, "|")), " ")
		}
		fmt.Fprintln(&out, line)
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if out.String() != string(want) {
		t.Errorf("the machine gives\n%s\nwant\n%s", out.String(), want)
	}
}

// playFence plays lines "time | event [sent] | standing | actions" with a lease of 5 s.
func playFence(t *testing.T) func([]string) string {
	f := fence{ttl: 5 * time.Second, standing: apart}
	return func(columns []string) string {
		at, err := time.ParseDuration(strings.TrimSpace(columns[0]))
		if err != nil {
			t.Fatal(err)
		}
		what, sent, _ := strings.Cut(strings.TrimSpace(columns[1]), " ")
		e := fenceEvent{what: fenceWhat(what)}
		if sent != "" {
			if e.sent, err = time.ParseDuration(sent); err != nil {
				t.Fatal(err)
			}
		}
		var actions []fenceAction
		f, actions = fenceStep(f, e, at)
		return fmt.Sprintf("%-6v | %-14s | %-8s | %s", at, strings.TrimSpace(columns[1]), f.standing, join(actions))
	}
}

// playOwner plays lines "event [node] | phase | actions".
func playOwner(*testing.T) func([]string) string {
	o := owner{phase: away}
	return func(columns []string) string {
		text := strings.TrimSpace(columns[0])
		what, to, _ := strings.Cut(text, " ")
		var actions []ownerAction
		o, actions = ownerStep(o, ownerEvent{what: ownerWhat(what), to: to})
		return fmt.Sprintf("%-10s | %-8s | %s", text, o.phase, join(actions))
	}
}

func (a ownerAction) String() string {
	text := strings.TrimSpace(string(a.do) + " " + a.to)
	if a.delay > 0 {
		text += " " + a.delay.String()
	}
	return text
}

func join[T any](list []T) string {
	var texts []string
	for _, v := range list {
		texts = append(texts, fmt.Sprint(v))
	}
	return strings.Join(texts, "; ")
}

// TestNeverTwo: whatever happens to the fence and when, no document starts, and the modules
// have been told to end, before the cluster can have ended the lease.
func TestNeverTwo(t *testing.T) {
	const ttl, step = 5 * time.Second, 250 * time.Millisecond
	events := []fenceWhat{onGranted, onRenewed, onFailed, onLost, onTick}
	for seed := range uint64(20000) {
		f := fence{ttl: ttl, standing: apart}
		var now time.Duration
		lease, alive := time.Duration(-1), false // when the last good renewal was sent; whether modules run
		for n, r := 0, seed; n < 8; n, r = n+1, r/20 {
			now += time.Duration(r%4+1) * step * time.Duration(1+r%3*4)
			e := fenceEvent{what: events[r/4%5], sent: now - step}
			if (e.what == onRenewed || e.what == onGranted) && (lease < 0 || now < lease+ttl || e.what == onGranted) {
				lease = max(lease, e.sent)
			} else if e.what == onRenewed {
				e.what = onLost // the cluster has ended it
			}
			if f.mayPrint(now) && now >= lease+ttl {
				t.Fatalf("seed %d: a document may start at %v, with a lease of %v", seed, now, lease)
			}
			if at, ok := f.wake(); alive && !ok || ok && at > f.renewed+ttl-f.margin() {
				t.Fatalf("seed %d: %+v wakes at %v", seed, f, at)
			}
			var actions []fenceAction
			f, actions = fenceStep(f, e, now)
			for _, a := range actions {
				alive = a != killAll
			}
			if alive && now >= f.renewed+ttl-f.margin() {
				t.Fatalf("seed %d: modules run at %v, renewed at %v", seed, now, f.renewed)
			}
		}
	}
}
