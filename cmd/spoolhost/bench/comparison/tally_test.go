package main

import (
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{4, 1}, spread{2.5, 1, 4}},
		{[]float64{9, 1, 5}, spread{5, 1, 9}},
	} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
}

func TestRatios(t *testing.T) {
	var all tally
	for _, ours := range []float64{3000, 2000, 2500} {
		all.add("jobs", figure{name: "rate", wanted: 12, ours: ours, theirs: 200, text: report.Number},
			figure{name: "time", wanted: 10, ours: 0.004, theirs: 0.032, text: report.Time, less: true})
	}
	all.add("many", figure{name: "rate", ours: 1, theirs: 0, text: report.Number})
	text := all.text()
	for _, want := range []string{"12.5 × [10 .. 15]", "yes", "8 × [8 .. 8]", "no", "4 ms", "32 ms", "2500"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if rows := all.table().Rows; len(rows) != 3 || rows[0].Bad || !rows[1].Bad || rows[2].Bad {
		t.Errorf("%+v", rows)
	}
}
