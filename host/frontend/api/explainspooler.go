package api

import (
	"fmt"

	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// explainSpooler says what of a spooler is missing.
func (s *hostServer) explainSpooler(sp *spooler.Spooler) *apiv1.ExplainResponse {
	const most = 20
	st := sp.Standing()
	state, problems, printers, missing := st.State, st.Problems, st.Printers, st.Missing
	resp := &apiv1.ExplainResponse{Summary: fmt.Sprintf("spooler %s is %s with %d printers, %d of them missing.", spool.Quote(sp.Name()), state, printers, missing)}
	if missing > 0 {
		resp.Summary += " Jobs for those are accepted and kept; it is tried again until they are back."
	}
	if n := len(problems); n > most {
		problems = append(problems[:most], fmt.Sprintf("and %d more; see spoolhost printer list --spooler %s", n-most, sp.Name()))
	}
	resp.Advice = problems
	if e := s.cfg.Engine; e != nil && e.ClockProblem() != "" {
		resp.Advice = append(resp.Advice, e.ClockProblem())
	}
	return resp
}
