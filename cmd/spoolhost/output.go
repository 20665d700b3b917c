package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
)

// output writes a command's result in the format that was asked for.
type output struct {
	w    io.Writer
	err  io.Writer
	json bool
	now  func() time.Time
}

func newOutput(cmd *cobra.Command, opts *options) output {
	return output{w: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), json: opts.output == outputJSON, now: time.Now}
}

// raw writes compact JSON.
func (o output) raw(compact []byte, err error) error {
	if err == nil {
		compact, err = indentJSON(compact)
	}
	if err == nil {
		_, err = o.w.Write(compact)
	}
	return err
}

// text writes what was built for people.
func (o output) text(b *strings.Builder) error {
	_, err := io.WriteString(o.w, b.String())
	return err
}

// object writes one message: as JSON, or by show.
func (o output) object(m proto.Message, show func(*strings.Builder)) error {
	if o.json {
		return o.raw(messageJSON(m))
	}
	var b strings.Builder
	show(&b)
	return o.text(&b)
}

// done writes the result of a command that has no object: {} or a sentence.
func (o output) done(format string, args ...any) error {
	if o.json {
		return o.raw([]byte("{}"), nil)
	}
	_, err := fmt.Fprintln(o.w, clean(fmt.Sprintf(format, args...)))
	return err
}

// list writes messages: as an array, or as a table. An empty table is the word none.
func list[M proto.Message](o output, items []M, none string, header []string, row func(M) []string) error {
	if o.json {
		return o.raw(messagesJSON(items))
	}
	if len(items) == 0 {
		_, err := fmt.Fprintln(o.w, none)
		return err
	}
	t := table{header: header}
	for _, item := range items {
		t.add(row(item)...)
	}
	var b strings.Builder
	t.write(&b, "")
	return o.text(&b)
}

// results writes the messages of a command that took several names: a single one stands
// by itself, so that scripts with one name need no index.
func results[M proto.Message](o output, items []M, single bool, line func(M) string) error {
	switch {
	case o.json && single && len(items) == 1:
		return o.raw(messageJSON(items[0]))
	case o.json && single:
		return nil // It failed, and standard error says why.
	case o.json:
		return o.raw(messagesJSON(items))
	}
	for _, item := range items {
		if _, err := fmt.Fprintln(o.w, clean(line(item))); err != nil {
			return err
		}
	}
	return nil
}

// table is rows of cells in aligned columns.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) {
	for i, cell := range cells {
		cells[i] = clean(cell)
	}
	t.rows = append(t.rows, cells)
}

// write lays the table out, each line after indent. Widths are columns of a terminal, not
// characters: titles are written in all the world's scripts.
func (t *table) write(b *strings.Builder, indent string) {
	widths := make([]int, len(t.header))
	all := append([][]string{t.header}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	for _, row := range all {
		line := indent
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// sheet is names and values, one to a line; values that are empty are left out.
type sheet struct{ rows [][2]string }

func (s *sheet) add(name, value string) {
	if value != "" {
		s.rows = append(s.rows, [2]string{name, clean(value)})
	}
}

func (s *sheet) write(b *strings.Builder) {
	width := 0
	for _, row := range s.rows {
		width = max(width, len(row[0]))
	}
	for _, row := range s.rows {
		fmt.Fprintf(b, "%-*s  %s\n", width, row[0], row[1])
	}
}
