package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/procs"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Time(0), "0"}, {Time(0.0000123), "12.3 µs"}, {Time(0.00234), "2.34 ms"}, {Time(0.999), "999 ms"}, {Time(12.34), "12.3 s"}, {Time(600), "10 min"},
		{Bytes(999), "999 B"}, {Bytes(1000), "1 kB"}, {Bytes(999_600), "1.00 MB"}, {Bytes(73_400_000), "73.4 MB"},
		{Number(2906.6), "2907"}, {Number(13.21), "13.2"}, {Number(0.947), "0.95"}, {Number(0), "0"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestAxis(t *testing.T) {
	for _, c := range []struct {
		axis     axis
		from, to float64
		marks    int
	}{
		{axis{from: 0, to: 930}, 0, 1000, 6},
		{axis{from: 0, to: 0}, 0, 1, 6},
		{axis{from: math.Inf(1), to: math.Inf(-1)}, 0, 1, 6},
		{axis{log: true, from: 0.0004, to: 0.2}, 0.0001, 1, 5},
		{axis{log: true, from: 0.01, to: 0.01}, 0.01, 0.1, 2},
		{axis{log: true, from: math.Inf(1), to: math.Inf(-1)}, 1e-9, 1, 10},
		{axis{from: 1e17, to: 1e17}, 1e17, 1e17, 1},
	} {
		a := c.axis
		a.settle()
		if math.Abs(a.from-c.from) > 1e-9 || math.Abs(a.to-c.to) > 1e-9 || len(a.marks) != c.marks {
			t.Errorf("%+v: from %g to %g, marks %v", c.axis, a.from, a.to, a.marks)
		}
	}
}

func someResult(label string) *bench.Result {
	r := &bench.Result{Label: label, DeliveredRate: 2900, Server: &bench.Server{CPUPerDocument: 0.0004}}
	for i := range 20 {
		x := float64(i + 1)
		r.Series = append(r.Series, bench.Sample{
			At: x, Seconds: 1, Accepted: 10 * i, Delivered: 9 * i, Waiting: i,
			EndToEnd: bench.Spread{P50: x / 1000, P99: x / 100}, Server: &procs.Usage{RSS: int64(i) << 20},
		})
		r.Accept.Curve = append(r.Accept.Curve, bench.Quantile{Part: 1 - math.Pow(10, -x/5), Seconds: x / 1000})
	}
	return r
}

// The page stands alone and is whole: nothing is loaded from elsewhere, every plot is
// well-formed and every line in it lies inside.
func TestHTML(t *testing.T) {
	var b strings.Builder
	evil := `<script src="http://elsewhere">`
	err := HTML(&b, Page{
		Title:  "Load & " + evil,
		Tables: []Table{{Title: "Ratios", Header: []string{"work", evil}, Rows: []Row{{Cells: []string{"accept", "12"}, Bad: true}}}},
		Groups: []Group{{Title: "One", Results: []*bench.Result{someResult("spoolhost"), someResult(evil)}}, {Title: "Nothing", Results: []*bench.Result{{}}}, {Title: "One document", Results: []*bench.Result{{
			Series: []bench.Sample{{At: 0.03, Seconds: 0.03, Delivered: 1}},
			Accept: bench.Latency{Curve: []bench.Quantile{{Part: 0, Seconds: 0}}}, EndToEnd: bench.Latency{Curve: []bench.Quantile{{Part: 0, Seconds: 0.2}}},
		}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if strings.Contains(page, "<script") || regexp.MustCompile(`(src|href)=|url\(|@import`).MatchString(strings.ReplaceAll(page, "src=&#34;", "")) {
		t.Error("the page loads something")
	}
	drawn := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1)
	const plots = 5
	if len(drawn) < plots {
		t.Fatalf("%d drawings", len(drawn))
	}
	for _, svg := range drawn {
		dec := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Contains(svg, ",-") {
			t.Errorf("a line leaves the drawing: %s", svg)
		}
	}
	if !strings.Contains(page, "prefers-color-scheme: dark") || !strings.Contains(page, `class="bad"`) {
		t.Error("the page knows no dark, or does not mark what is bad")
	}
}
