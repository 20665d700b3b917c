package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
	reports "github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
)

// benchText is a result for people.
func benchText(b *strings.Builder, r *bench.Result) {
	var s sheet
	c := r.Counts
	s.add("Server", r.Target)
	s.add("Work", r.Work)
	s.add("Time", reports.Time(r.Seconds))
	s.add("Accepted", fmt.Sprintf("%d documents, %s a second", c.Accepted, reports.Number(r.AcceptedRate)))
	if c.Delivered > 0 {
		s.add("Printed", fmt.Sprintf("%d documents, %s a second, %s a second", c.Delivered, reports.Number(r.DeliveredRate), reports.Bytes(r.ByteRate)))
	}
	if c.Unsent > 0 {
		s.add("Not sent", fmt.Sprintf("%d documents were due, but every client was still busy: the server does not keep up, or --clients is too low", c.Unsent))
	}
	for _, refusal := range r.Refusals {
		s.add("Refused", fmt.Sprintf("%d times: %s", refusal.Count, refusal.Text))
	}
	if c.Pending > 0 {
		s.add("Not printed", fmt.Sprintf("%d documents, when the test ended", c.Pending))
	}
	if c.BrokenOff > 0 {
		s.add("Broken off", fmt.Sprintf("%d connections ended in the middle of a document (attempts that failed)", c.BrokenOff))
	}
	if c.Foreign > 0 {
		s.add("Foreign", fmt.Sprintf("%d connections brought no document of this test", c.Foreign))
	}
	if c.Delivered > 0 || c.Faults() > 0 {
		s.add("Check", faultText(c))
	}
	if v := r.Server; v != nil {
		s.add("Server's CPU", fmt.Sprintf("%s, %s a document, with all its processes", reports.Time(v.CPU), reports.Time(v.CPUPerDocument)))
		s.add("Server's memory", fmt.Sprintf("%s at most in %d processes (%s without what they share), %s in the first",
			reports.Bytes(float64(v.Peak.RSS)), v.Peak.Processes, reports.Bytes(float64(v.Peak.PSS)), reports.Bytes(float64(v.Peak.Root))))
	}
	s.add("Machine", fmt.Sprintf("%d CPUs, load %.1f before and %.1f after", r.Machine.CPUs, r.Machine.LoadBefore, r.Machine.LoadAfter))
	s.write(b)
	latencies(b, r)
}

func latencies(b *strings.Builder, r *bench.Result) {
	b.WriteString("\n")
	t := table{header: []string{"", "p50", "p90", "p99", "p99.9", "max", "mean"}}
	for _, row := range []struct {
		name string
		l    bench.Latency
	}{{"accept", r.Accept}, {"first byte", r.FirstByte}, {"end to end", r.EndToEnd}} {
		if row.l.Count == 0 {
			continue
		}
		cells := []string{row.name}
		for _, v := range []float64{row.l.P50, row.l.P90, row.l.P99, row.l.P999, row.l.Max, row.l.Mean} {
			cells = append(cells, reports.Time(v))
		}
		t.add(cells...)
	}
	t.write(b, "")
}

// faultText says whether everything came as it should.
func faultText(c bench.Counts) string {
	var wrong []string
	for _, f := range []struct {
		n    int
		what string
	}{{c.Lost, "lost"}, {c.Duplicates, "printed twice"}, {c.Corrupt, "damaged"}, {c.Misrouted, "printed by another queue's printer"}} {
		if f.n > 0 {
			wrong = append(wrong, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	if len(wrong) == 0 {
		return "every byte as sent; nothing lost, nothing twice"
	}
	return fmt.Sprintf("of %d documents accepted: %s", c.Accepted, strings.Join(wrong, ", "))
}

// benchProgress is one line on a terminal that changes. To anything else it says nothing.
type benchProgress struct {
	mu sync.Mutex
	w  *os.File
}

func newBenchProgress(o output) *benchProgress {
	f, ok := o.err.(*os.File)
	if o.json || !ok || !term.IsTerminal(int(f.Fd())) {
		return &benchProgress{}
	}
	return &benchProgress{w: f}
}

func (p *benchProgress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\x1b[K%s", text)
	}
}

func (p *benchProgress) run(c bench.Counts, since time.Duration) {
	p.say(fmt.Sprintf("%.0f s: %d accepted, %d printed, %d refused", since.Seconds(), c.Accepted, c.Delivered, c.Refused))
}

func (p *benchProgress) end() { p.say("") }
