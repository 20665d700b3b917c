package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newStatusCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how the host stands",
		Long: `Show the host's version, address and data directory, who you are to it, and for each
of its spoolers the state, what it holds, and what is missing and why.`,
		Example: `  spoolhost status
  spoolhost status --addr unix:/run/spoolhost/api.sock
  spoolhost status -o json | jq '.spoolers[].state'`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			status, err := c.GetStatus(ctx, &apiv1.GetStatusRequest{})
			if err != nil {
				return err
			}
			return c.out.object(status, func(b *strings.Builder) { showStatus(b, status, c) })
		}),
	}
}

func showStatus(b *strings.Builder, status *apiv1.GetStatusResponse, c *call) {
	var s sheet
	s.add("host", fmt.Sprintf("spoolhost %s, pid %d", status.GetVersion(), status.GetPid()))
	if started := status.GetStartedAt(); started != nil {
		s.add("running for", duration(c.out.now().Sub(started.AsTime())))
	}
	s.add("address", c.addr.String())
	s.add("listens on", strings.Join(status.GetListen(), ", "))
	if id := status.GetIdentity(); id != "" {
		s.add("identity", id)
	}
	s.add("data", status.GetData())
	s.add("you are", strings.TrimLeft(status.GetUser()+", "+status.GetRole(), ", "))
	s.write(b)
	b.WriteByte('\n')
	t := table{header: []string{"SPOOLER", "STATE", "MONITORS", "PORTS", "PRINTERS", "JOBS"}}
	for _, sp := range status.GetSpoolers() {
		t.add(sp.GetName(), sp.GetState(), fmt.Sprint(sp.GetMonitors()), fmt.Sprint(sp.GetPorts()),
			fmt.Sprint(sp.GetPrinters()), jobCounts(sp.GetJobs()))
	}
	t.write(b, "")
	showProblems(b, status.GetSpoolers())
}

func showProblems(b *strings.Builder, spoolers []*apiv1.SpoolerStatus) {
	for _, sp := range spoolers {
		if len(sp.GetProblems()) == 0 {
			continue
		}
		fmt.Fprintf(b, "\nProblems of %s:\n", clean(sp.GetName()))
		for _, problem := range sp.GetProblems() {
			fmt.Fprintf(b, "  - %s\n", clean(problem))
		}
	}
}

func jobCounts(jobs map[string]uint32) string {
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(jobs)) {
		if n := jobs[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
