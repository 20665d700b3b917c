package host

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
)

func TestSkew(t *testing.T) {
	const s = time.Second
	cases := []struct {
		name   string
		others map[string]time.Duration
		want   string
	}{
		{"all agree", map[string]time.Duration{"b": s, "c": -s}, ""},
		{"this one is behind", map[string]time.Duration{"b": 5 * s, "c": 6 * s}, `node a is 5s behind`},
		{"this one is ahead", map[string]time.Duration{"b": -7 * s, "c": -7 * s}, `node a is 7s ahead`},
		{"another one is wrong", map[string]time.Duration{"b": 0, "c": 3600 * s}, ""},
		{"two that differ", map[string]time.Duration{"b": -3 * s}, `"a" and "b" differ by 3s`},
		{"two that agree", map[string]time.Duration{"b": s}, ""},
		{"one of four", map[string]time.Duration{"b": 9 * s, "c": 9 * s, "d": 9 * s}, "node a is 9s behind"},
	}
	for _, c := range cases {
		if got := skewOf("a", c.others); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestSkewIsToldOnce: one event when the clock becomes wrong, one when it is right again, and
// none while nobody answers.
func TestSkewIsToldOnce(t *testing.T) {
	var told []string
	var others map[string]time.Duration
	c := &clocks{node: "a", ask: func(context.Context) map[string]time.Duration { return others }, say: func(s eventlog.Severity, text string) { told = append(told, s.String()+" "+text) }}
	for _, ahead := range []time.Duration{0, time.Minute, time.Minute, -1, 0, 0} {
		others = map[string]time.Duration{"b": ahead, "c": ahead}
		if ahead < 0 {
			others = nil
		}
		c.look(t.Context())
		if wrong := c.problem() != ""; wrong != (ahead != 0) {
			t.Errorf("at %v: %q", ahead, c.problem())
		}
	}
	if len(told) != 2 || !strings.HasPrefix(told[0], "warning the clock of node a is 1m0s behind") || !strings.Contains(told[1], "agrees") {
		t.Errorf("%q", told)
	}
}
