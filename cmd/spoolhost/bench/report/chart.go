package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// chart is lines over a common axis.
type chart struct {
	title string
	x, y  axis
	lines []line
}

// axis is a scale. A logarithmic one shows no zero.
type axis struct {
	log   bool
	text  func(float64) string
	from  float64
	to    float64
	marks []float64
}

type line struct {
	name   string
	dashed bool
	colour int
	points []point
}

type point struct{ x, y float64 }

// The drawing, in units of SVG.
const (
	width, height          = 640.0, 280.0
	left, right, top, foot = 64.0, 12.0, 10.0, 30.0
)

// fit sets the scales by the points. Two marks at least stand on each.
func (c *chart) fit() {
	c.x.from, c.x.to, c.y.from, c.y.to = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range c.lines {
		for _, p := range l.points {
			if !c.shows(p) {
				continue
			}
			c.x.from, c.x.to = min(c.x.from, p.x), max(c.x.to, p.x)
			c.y.from, c.y.to = min(c.y.from, p.y), max(c.y.to, p.y)
		}
	}
	c.x.settle()
	if !c.y.log {
		c.y.from = 0
	}
	c.y.settle()
}

// shows says whether a point has a place: a logarithmic scale has none for zero.
func (c *chart) shows(p point) bool {
	return !math.IsNaN(p.y) && !math.IsInf(p.x, 0) && !math.IsInf(p.y, 0) && (!c.y.log || p.y > 0)
}

// settle widens an axis to round numbers and marks it.
func (a *axis) settle() {
	if !(a.from <= a.to) || math.IsInf(a.from, 0) || math.IsInf(a.to, 0) { // no points
		a.from, a.to = 0, 1
	}
	switch {
	case a.marks != nil:
		a.from, a.to = min(a.from, a.marks[0]), max(a.to, a.marks[1])
	case a.log:
		a.settleLog()
	default:
		a.settleLinear()
	}
}

func (a *axis) settleLog() {
	const least = 1e-9
	low, high := math.Floor(math.Log10(max(a.from, least))), math.Ceil(math.Log10(max(a.to, least)))
	high = max(high, low+1)
	a.from, a.to = math.Pow(10, low), math.Pow(10, high)
	for e := low; e <= high; e++ {
		a.marks = append(a.marks, math.Pow(10, e))
	}
}

func (a *axis) settleLinear() {
	const about = 5
	if a.to == a.from {
		a.to++
	}
	step := roundStep((a.to - a.from) / about)
	first, last := math.Floor(a.from/step), math.Ceil(a.to/step-1e-6)
	a.from, a.to = first*step, last*step
	for n := range int(last-first) + 1 {
		a.marks = append(a.marks, (first+float64(n))*step)
	}
}

// roundStep is 1, 2 or 5 times a power of ten, at least d.
func roundStep(d float64) float64 {
	if d <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(d)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= d {
			return m * power
		}
	}
	return 10 * power
}

// at gives where a value stands, from 0 to 1.
func (a *axis) at(v float64) float64 {
	if a.log {
		return math.Log10(v/a.from) / math.Log10(a.to/a.from)
	}
	return (v - a.from) / (a.to - a.from)
}

func (c *chart) px(x float64) float64 { return left + c.x.at(x)*(width-left-right) }
func (c *chart) py(y float64) float64 { return height - foot - c.y.at(y)*(height-top-foot) }

// svg draws. Colours are classes of the page, so that they follow light and dark.
func (c *chart) svg() template.HTML {
	c.fit()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, width, height, html.EscapeString(c.title))
	for _, m := range c.y.marks {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, width-right, c.py(m), c.py(m))
		fmt.Fprintf(&b, `<text class="mark" text-anchor="end" x="%.1f" y="%.1f">%s</text>`, left-6, c.py(m)+4, html.EscapeString(c.y.text(m)))
	}
	for _, m := range c.x.marks {
		if m >= c.x.from && m <= c.x.to {
			fmt.Fprintf(&b, `<text class="mark" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`, c.px(m), height-foot+18, html.EscapeString(c.x.text(m)))
		}
	}
	for _, l := range c.lines {
		c.draw(&b, l)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped above
}

func (c *chart) draw(b *strings.Builder, l line) {
	class := fmt.Sprintf("line c%d", l.colour%colours)
	if l.dashed {
		class += " dashed"
	}
	fmt.Fprintf(b, `<polyline class="%s" points="`, class)
	for _, p := range l.points {
		if c.shows(p) {
			fmt.Fprintf(b, "%.1f,%.1f ", c.px(p.x), c.py(p.y))
		}
	}
	fmt.Fprintf(b, `"><title>%s</title></polyline>`, html.EscapeString(l.name))
}
