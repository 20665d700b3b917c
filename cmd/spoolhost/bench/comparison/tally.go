package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
)

// figure is one measurement of one turn.
type figure struct {
	name   string
	wanted float64 // how many times better spoolhost should be; 0 is told for information
	// ours and theirs in the unit of text; theirs may be a limit of the machine.
	ours, theirs float64
	text         func(float64) string
	// less says that less is better.
	less bool
}

// ratio is how many times better ours is.
func (f figure) ratio() float64 {
	a, b := f.ours, f.theirs
	if f.less {
		a, b = b, a
	}
	if b == 0 {
		return 0
	}
	return a / b
}

// tally keeps the figures of all rows.
type tally struct{ lines []*tallied }

// tallied is the turns of one figure.
type tallied struct {
	row   string
	turns []figure
}

func (t *tally) add(row string, figures ...figure) {
	for _, f := range figures {
		i := slices.IndexFunc(t.lines, func(l *tallied) bool { return l.row == row && l.turns[0].name == f.name })
		if i < 0 {
			t.lines = append(t.lines, &tallied{row: row})
			i = len(t.lines) - 1
		}
		t.lines[i].turns = append(t.lines[i].turns, f)
	}
}

// spread is median, least and most.
type spread struct{ median, least, most float64 }

func (l *tallied) spread(of func(figure) float64) spread {
	var all []float64
	for _, f := range l.turns {
		all = append(all, of(f))
	}
	return spreadOf(all)
}

func spreadOf(all []float64) spread {
	all = slices.Sorted(slices.Values(all))
	n := len(all)
	if n == 0 {
		return spread{}
	}
	return spread{(all[(n-1)/2] + all[n/2]) / 2, all[0], all[n-1]}
}

// cells are a line of the table; bad says that what is wanted was not reached.
func (l *tallied) cells() (cells []string, bad bool) {
	first := l.turns[0]
	ratio := l.spread(figure.ratio)
	wanted, reached := "-", ""
	if first.wanted > 0 {
		wanted, reached = report.Number(first.wanted)+" ×", "yes"
		if bad = ratio.median < first.wanted; bad {
			reached = "no"
		}
	}
	value := func(of func(figure) float64) string { return first.text(l.spread(of).median) }
	return []string{
		l.row, first.name, wanted,
		fmt.Sprintf("%s × [%s .. %s]", report.Number(ratio.median), report.Number(ratio.least), report.Number(ratio.most)), reached,
		value(func(f figure) float64 { return f.ours }), value(func(f figure) float64 { return f.theirs }), fmt.Sprint(len(l.turns)),
	}, bad
}

func (t *tally) table() report.Table {
	table := report.Table{
		Note:   "Ratios say how many times better spoolhost is in one turn: median, least and most of the turns. What it is held against is CUPS, or what the row says.",
		Header: []string{"row", "figure", "wanted", "ratio", "reached", "spoolhost", "against", "turns"},
	}
	for _, l := range t.lines {
		cells, bad := l.cells()
		table.Rows = append(table.Rows, report.Row{Cells: cells, Bad: bad})
	}
	return table
}

// text is the table for a terminal, and as well for a README.
func (t *tally) text() string {
	table := t.table()
	rows := [][]string{table.Header, nil}
	for range table.Header {
		rows[1] = append(rows[1], "---")
	}
	for _, r := range table.Rows {
		rows = append(rows, r.Cells)
	}
	widths := make([]int, len(table.Header))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		for i, c := range r {
			fmt.Fprintf(&b, "| %s%s ", c, strings.Repeat(" ", widths[i]-len([]rune(c))))
		}
		b.WriteString("|\n")
	}
	return b.String()
}
