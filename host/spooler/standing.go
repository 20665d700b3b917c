package spooler

import (
	"math"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Use is how many printers use a monitor, by its name and digest.
type Use struct {
	Monitor, Digest string
	Printers        int
}

// Standing sums up how a spooler does.
type Standing struct {
	// State is as Spooler.State gives it.
	State string
	// Printers is how many there are, Missing how many of them have no port that works.
	Printers, Missing int
	// Problems names what is missing and why: monitors that do not run, and printers.
	Problems []string
	// Uses says which monitors the printers need, as far as it is known which monitor has
	// their ports.
	Uses []Use
}

// Standing looks at all printers once.
func (s *Spooler) Standing() Standing { return s.Brief(math.MaxInt) }

// Brief is Standing with so many of the problems at most. It is asked several times a second:
// to name ten thousand printers would take longer than to find them, and hold up all else.
func (s *Spooler) Brief(most int) Standing {
	count := make(map[*unit]int)
	var missing []*printer
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Standing{Printers: len(s.printers)}
	for _, u := range s.units {
		if !u.ready() {
			st.Problems = append(st.Problems, u.standing())
		}
	}
	for _, pr := range s.printers {
		if s.missing(pr) {
			missing = append(missing, pr)
		}
		s.countUnits(pr, count)
	}
	slices.Sort(st.Problems)
	st.Problems = st.Problems[:min(len(st.Problems), most)]
	st.Missing = len(missing)
	slices.SortFunc(missing, func(a, b *printer) int { return strings.Compare(a.Name, b.Name) })
	for _, pr := range missing[:min(len(missing), most-len(st.Problems))] {
		_, reason := s.countPorts(pr)
		st.Problems = append(st.Problems, "printer "+spool.Quote(pr.Name)+" is missing"+because(reason))
	}
	switch {
	case s.stopping:
		st.State = "stopping"
	case s.rising():
		st.State = "starting"
	case len(st.Problems) > 0 || st.Missing > 0:
		st.State = "online-incomplete"
	default:
		st.State = "online"
	}
	for u, n := range count {
		digest := u.monitor.Digest
		if u.monitor.Builtin {
			digest = "builtin" // it comes with the host, and another version of that will do
		}
		st.Uses = append(st.Uses, Use{u.name, digest, n})
	}
	slices.SortFunc(st.Uses, func(a, b Use) int { return strings.Compare(a.Monitor, b.Monitor) })
	return st
}

// countUnits counts each monitor of a printer's ports once; s.mu is held.
func (s *Spooler) countUnits(pr *printer, count map[*unit]int) {
	for i, key := range pr.keys {
		p := s.ports[key]
		if p == nil || p.unit == nil {
			continue
		}
		again := slices.ContainsFunc(pr.keys[:i], func(before string) bool {
			o := s.ports[before]
			return o != nil && o.unit == p.unit
		})
		if !again {
			count[p.unit]++
		}
	}
}
