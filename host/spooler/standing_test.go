package spooler

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkStanding is what is asked several times a second of each spooler of a cluster,
// with ten thousand printers: all working, and all missing.
func BenchmarkStanding(b *testing.B) {
	const printers = 10_000
	first := make(chan struct{})
	close(first)
	for name, u := range map[string]*unit{
		"working": {name: "Local", first: first, provider: localProvider{}, state: unitRunning},
		"missing": {name: "Local", first: first, provider: localProvider{}, state: unitBackoff, reason: "its module exited"},
	} {
		b.Run(name, func(b *testing.B) {
			s := newSpooler(Config{Name: "NTPRINT", Now: time.Now})
			s.runCtx, s.units["local"] = context.Background(), u
			close(s.risen)
			for i := range printers {
				r := newRecord(fmt.Sprint("printer-", i), time.Now())
				r.Ports = []string{fmt.Sprint("IP_10.0.0.", i)}
				s.adopt(&printer{record: r})
				p := s.port(r.Ports[0])
				p.unit, p.listed = u, true
			}
			b.ReportAllocs()
			for b.Loop() {
				if st := s.Brief(5); st.Printers != printers {
					b.Fatal(st.Printers)
				}
			}
		})
	}
}

// TestMissing: a printer counts as missing exactly when it is shown so, whatever its ports do.
func TestMissing(t *testing.T) {
	first, later := make(chan struct{}), make(chan struct{})
	close(first)
	ready := &unit{name: "A", first: first, provider: localProvider{}, state: unitRunning}
	broken := &unit{name: "B", first: first, provider: localProvider{}, state: unitBackoff}
	untried := &unit{name: "C", first: later, provider: localProvider{}, state: unitStarting}
	for _, rising := range []bool{false, true} {
		for n, ports := range [][]*port{
			{}, {nil}, {{}}, {{unit: ready, listed: true}}, {{unit: ready}}, {{unit: broken, listed: true}}, {{unit: untried}},
			{{unit: broken, listed: true, job: 1}}, {{unit: broken, job: 1}}, {{unit: broken}, {unit: ready, listed: true}}, {{unit: broken}, {}},
		} {
			s := newSpooler(Config{Name: "NTPRINT", Now: time.Now})
			s.runCtx = t.Context()
			if !rising {
				close(s.risen)
			}
			r := newRecord("p", time.Now())
			for i := range ports {
				r.Ports = append(r.Ports, fmt.Sprint("Port", i))
			}
			pr := &printer{record: r}
			s.adopt(pr)
			for i, p := range ports {
				if delete(s.ports, pr.keys[i]); p != nil {
					s.ports[pr.keys[i]] = p
				}
			}
			missing := s.missing(pr)
			if state, _ := s.printerState(pr); missing != (state == "missing") {
				t.Errorf("case %d, rising %t: it is %s, and missing is %t", n, rising, state, missing)
			}
		}
	}
}

// localProvider is what makes a unit the host's own.
type localProvider struct{ Provider }
