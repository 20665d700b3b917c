package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newWhyCommand(opts *options) *cobra.Command {
	group := newGroupCommand("why", "Tell what happened to a thing, and what to do next",
		`Tell in plain sentences how a job, printer, port, monitor or spooler stands, what happened to it in
order of time, and what to do next.`,
		`  spoolhost why job 12
  spoolhost why printer Office
  spoolhost why monitor "Standard TCP/IP Port"`,
		newWhyKindCommand(opts, "job", "ID", "12", complete(opts, 1, jobIDs(true))),
		newWhyKindCommand(opts, "printer", "NAME", "Office", completePrinters(opts, 1)),
		newWhyKindCommand(opts, "port", "NAME", "IP_10.0.0.5", completePorts(opts, 1)),
		newWhyKindCommand(opts, "monitor", "NAME", `"Standard TCP/IP Port"`, completeMonitors(opts, 1)),
		newWhyKindCommand(opts, "spooler", "NAME", "NTPRINT", completeSpoolers(opts)))
	addSpoolerFlag(group, opts)
	return group
}

func newWhyKindCommand(opts *options, kind, arg, sample string, complete cobra.CompletionFunc) *cobra.Command {
	return &cobra.Command{
		Use:   kind + " " + arg,
		Short: "Tell what happened to a " + kind,
		Long:  "Tell how a " + kind + " stands, what happened to it in order of time, and what to do next.",
		Example: "  spoolhost why " + kind + " " + sample + "\n" +
			"  spoolhost why " + kind + " " + sample + " -o json | jq -r '.advice[]'",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if kind == "job" {
				if _, err := parseJobID(args[0]); err != nil {
					return err
				}
			}
			in := c.spooler
			if kind == "spooler" {
				in = args[0]
			}
			resp, err := c.Explain(ctx, &apiv1.ExplainRequest{Spooler: in, Kind: kind, Name: args[0]})
			if err != nil {
				return err
			}
			return c.out.object(resp, func(b *strings.Builder) { showExplanation(b, resp) })
		}),
	}
}

func showExplanation(b *strings.Builder, why *apiv1.ExplainResponse) {
	b.WriteString(clean(why.GetSummary()) + "\n")
	if len(why.GetEvents()) > 0 {
		b.WriteByte('\n')
	}
	for _, event := range why.GetEvents() {
		node := ""
		if event.GetNode() != "" {
			node = clean(event.GetNode()) + ": "
		}
		fmt.Fprintf(b, "%19s  %s%s\n", localTime(event.GetTime()), node, clean(event.GetText()))
	}
	for _, n := range why.GetUnasked() {
		fmt.Fprintf(b, "%19s  %s\n", "", unaskedLine(n))
	}
	if len(why.GetAdvice()) == 0 {
		b.WriteString("\nWhat to do: nothing.\n")
		return
	}
	b.WriteString("\nWhat to do:\n")
	for _, advice := range why.GetAdvice() {
		b.WriteString("  - " + clean(advice) + "\n")
	}
}
