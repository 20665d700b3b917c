package report

import (
	_ "embed"
	"html/template"
	"io"
	"math"
	"strconv"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
)

// colours is how many the page tells apart.
const colours = 6

//go:embed report.html.tmpl
var pageText string

// Page is what a report shows.
type Page struct {
	Title string
	// Tables stand first, each with a heading.
	Tables []Table
	// Groups are runs that are drawn into the same plots.
	Groups []Group
}

// Table is rows of text under a header.
type Table struct {
	Title, Note string
	Header      []string
	Rows        []Row
}

// Row is a row; a bad one is marked.
type Row struct {
	Cells []string
	Bad   bool
}

// Group is runs of the same work.
type Group struct {
	Title   string
	Results []*bench.Result
}

// HTML writes a page that needs nothing beside it: no script, no style, no picture.
func HTML(w io.Writer, p Page) error {
	t, err := template.New("page").Funcs(template.FuncMap{"plots": plots, "figures": Figures, "colour": func(i int) string { return "c" + strconv.Itoa(i%colours) }}).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, p)
}

// Figures is a table of what runs found, a column for each.
func Figures(results []*bench.Result) Table {
	t := Table{Header: []string{""}}
	for _, r := range results {
		t.Header = append(t.Header, name(r))
	}
	add := func(bad bool, label string, of func(*bench.Result) string) {
		row := Row{Cells: []string{label}, Bad: bad}
		for _, r := range results {
			row.Cells = append(row.Cells, of(r))
		}
		t.Rows = append(t.Rows, row)
	}
	add(false, "printed a second", func(r *bench.Result) string { return Number(r.DeliveredRate) })
	add(false, "accepted a second", func(r *bench.Result) string { return Number(r.AcceptedRate) })
	add(false, "bytes a second", func(r *bench.Result) string { return Bytes(r.ByteRate) })
	for _, l := range []struct {
		label string
		of    func(*bench.Result) bench.Latency
	}{
		{"accept", func(r *bench.Result) bench.Latency { return r.Accept }},
		{"first byte", func(r *bench.Result) bench.Latency { return r.FirstByte }},
		{"end to end", func(r *bench.Result) bench.Latency { return r.EndToEnd }},
	} {
		add(false, l.label+", p50 / p99 / p99.9", func(r *bench.Result) string {
			x := l.of(r)
			return Time(x.P50) + " / " + Time(x.P99) + " / " + Time(x.P999)
		})
	}
	add(false, "processor time a document", func(r *bench.Result) string {
		if r.Server == nil {
			return "not measured"
		}
		return Time(r.Server.CPUPerDocument)
	})
	add(false, "peak memory of the server's processes", func(r *bench.Result) string {
		if r.Server == nil {
			return "not measured"
		}
		return Bytes(float64(r.Server.Peak.RSS))
	})
	faults := 0
	for _, r := range results {
		faults += r.Counts.Faults()
	}
	add(faults > 0, "lost / doubled / damaged / misrouted", func(r *bench.Result) string {
		text := ""
		for i, n := range []int{r.Counts.Lost, r.Counts.Duplicates, r.Counts.Corrupt, r.Counts.Misrouted} {
			if i > 0 {
				text += " / "
			}
			text += strconv.Itoa(n)
		}
		return text
	})
	return t
}

func name(r *bench.Result) string {
	if r.Label != "" {
		return r.Label
	}
	return r.Target
}

// plot is a chart on the page.
type plot struct {
	Title  string
	SVG    template.HTML
	Legend []legend
}

type legend struct {
	Name   string
	Colour int
	Dashed bool
}

func (c *chart) plot() plot {
	p := plot{Title: c.title, SVG: c.svg()}
	for _, l := range c.lines {
		p.Legend = append(p.Legend, legend{l.name, l.colour % colours, l.dashed})
	}
	return p
}

// plots draws what runs found.
func plots(results []*bench.Result) []plot {
	charts := []chart{
		overTime("Documents a second", Number, false, results,
			track{"printed", func(s bench.Sample) float64 { return float64(s.Delivered) / s.Seconds }},
			track{"accepted", func(s bench.Sample) float64 { return float64(s.Accepted) / s.Seconds }}),
		quantiles("Accept: so many took no longer", results, func(r *bench.Result) bench.Latency { return r.Accept }),
		quantiles("End to end: so many took no longer", results, func(r *bench.Result) bench.Latency { return r.EndToEnd }),
		overTime("End to end over time", Time, true, results,
			track{"p50", func(s bench.Sample) float64 { return s.EndToEnd.P50 }}, track{"p99", func(s bench.Sample) float64 { return s.EndToEnd.P99 }}),
		overTime("Accepted and not printed", Number, false, results, track{"waiting", func(s bench.Sample) float64 { return float64(s.Waiting) }}),
		overTime("Memory of the server's processes", Bytes, false, results, track{"RSS", func(s bench.Sample) float64 {
			if s.Server == nil {
				return 0
			}
			return float64(s.Server.RSS)
		}}),
	}
	var all []plot
	for i := range charts {
		if len(charts[i].lines) > 0 {
			all = append(all, charts[i].plot())
		}
	}
	return all
}

// track is a figure of a sample. The second one of a plot is dashed.
type track struct {
	name string
	of   func(bench.Sample) float64
}

func overTime(title string, unit func(float64) string, log bool, results []*bench.Result, tracks ...track) chart {
	c := chart{title: title, x: axis{text: Time}, y: axis{log: log, text: unit}}
	for i, r := range results {
		for n, t := range tracks {
			l := line{name: name(r) + ": " + t.name, colour: i, dashed: n > 0}
			some := false
			for _, s := range r.Series {
				if s.Seconds > 0 {
					y := t.of(s)
					some = some || y > 0
					l.points = append(l.points, point{s.At, y})
				}
			}
			if some {
				c.lines = append(c.lines, l)
			}
		}
	}
	return c
}

// quantiles has the nines on its axis: 90 %, 99 %, 99.9 % at the same distance.
func quantiles(title string, results []*bench.Result, of func(*bench.Result) bench.Latency) chart {
	c := chart{title: title, y: axis{log: true, text: Time}, x: axis{marks: []float64{0, 1, 2, 3, 4, 5}, text: func(nines float64) string {
		if nines == 0 {
			return "0 %"
		}
		return strconv.FormatFloat(100*(1-math.Pow(10, -nines)), 'g', 6, 64) + " %"
	}}}
	for i, r := range results {
		l := line{name: name(r), colour: i}
		for _, q := range of(r).Curve {
			l.points = append(l.points, point{-math.Log10(1 - q.Part), q.Seconds})
		}
		if len(l.points) > 0 {
			c.lines = append(c.lines, l)
		}
	}
	return c
}
