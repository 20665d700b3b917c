package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// explainSpooler says what of a spooler is missing.
func (s *hostServer) explainSpooler(sp *spooler.Spooler) *apiv1.ExplainResponse {
	const most = 20
	st := sp.Standing()
	state, problems, printers, missing := st.State, st.Problems, st.Printers, st.Missing
	resp := &apiv1.ExplainResponse{Summary: fmt.Sprintf("spooler %s is %s with %s", spool.Quote(sp.Name()), state, counted(printers, "printer"))}
	if missing == 0 {
		resp.Summary += "."
	} else {
		resp.Summary += fmt.Sprintf(", %d of them missing. Jobs for those are accepted and kept; it is tried again until they are back.", missing)
	}
	if n := len(problems); n > most {
		problems = append(problems[:most], fmt.Sprintf("and %d more; see spoolhost printer list --spooler %s", n-most, sp.Name()))
	}
	resp.Advice = problems
	if e := s.cfg.Engine; e != nil && e.ClockProblem() != "" {
		resp.Advice = append(resp.Advice, e.ClockProblem())
	}
	resp.Advice = append(resp.Advice, s.storageAdvice(sp)...)
	return resp
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// storageAdvice says which nodes take no jobs for a spooler of the cluster, and why.
func (s *hostServer) storageAdvice(sp *spooler.Spooler) []string {
	if s.cfg.Cluster == nil || sp.Local() {
		return nil
	}
	view, _ := s.cfg.Cluster.Node.View()
	return storageProblems(view)
}

// storageProblems says which nodes cannot write to the shared directory. What several say
// in the same words is one.
func storageProblems(v cluster.View) (problems []string) {
	who := make(map[string][]string)
	for _, key := range slices.Sorted(maps.Keys(v.Members)) {
		if m := v.Members[key]; m.Storage != "" {
			who[m.Storage] = append(who[m.Storage], m.Name)
		}
	}
	for _, text := range slices.Sorted(maps.Keys(who)) {
		switch nodes := who[text]; {
		case len(nodes) == len(v.Members):
			problems = append(problems, "no node takes jobs for cluster spoolers as it should: "+text)
		case len(nodes) == 1:
			problems = append(problems, "node "+nodes[0]+" does not take jobs for cluster spoolers as it should: "+text)
		default:
			problems = append(problems, "nodes "+strings.Join(nodes, ", ")+" do not take jobs for cluster spoolers as they should: "+text)
		}
	}
	return problems
}
