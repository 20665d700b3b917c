package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newPrinterCommand(opts *options) *cobra.Command {
	group := newGroupCommand("printer", "Add, show and operate printers",
		`A printer is a queue. Its jobs print to its port, or to the first free one of its pool of
ports, in order of priority and then of submission.`,
		`  spoolhost printer add Office --port IP_10.0.0.5
  spoolhost printer list
  spoolhost printer pause Office`,
		newPrinterAddCommand(opts), newPrinterListCommand(opts), newPrinterShowCommand(opts), newPrinterSetCommand(opts),
		newPrinterPauseCommand(opts), newPrinterResumeCommand(opts), newPrinterPurgeCommand(opts), newPrinterDeleteCommand(opts),
		newPrinterDataCommand(opts))
	addSpoolerFlag(group, opts)
	return group
}

func newPrinterAddCommand(opts *options) *cobra.Command {
	settings := &printerFlags{}
	cmd := &cobra.Command{
		Use:   "add NAME --port PORT [--port PORT]...",
		Short: "Make a printer",
		Long: `Make a printer that prints to a port, or with several --port to a pool of ports.
Only administrators may do this.

` + printerSettingsHelp,
		Example: `  spoolhost printer add Office --port IP_10.0.0.5 --location "2nd floor"
  spoolhost printer add Labels --port IP_10.0.0.7 --port IP_10.0.0.8 --policy hold --keep-printed-jobs
  spoolhost printer add Night --port IP_10.0.0.5 --start 20:00 --until 06:00 --priority 1`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			message, err := settings.message(cmd.Flags())
			if err != nil {
				return err
			}
			resp, err := c.AddPrinter(ctx, &apiv1.AddPrinterRequest{Spooler: c.spooler, Name: args[0], Settings: message})
			return c.printer(resp.GetPrinter(), err, "added")
		}),
	}
	settings.register(cmd, opts)
	require(cmd, "port")
	return cmd
}

func newPrinterSetCommand(opts *options) *cobra.Command {
	settings := &printerFlags{}
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change settings of a printer",
		Long: `Change the settings that are given and keep the others. --port replaces all ports of the
printer. Only administrators may do this.

` + printerSettingsHelp,
		Example: `  spoolhost printer set Office --comment "Colour, duplex" --max-attempts 3
  spoolhost printer set Office --port IP_10.0.0.5 --port IP_10.0.0.6
  spoolhost printer set Night --start 00:00 --until 00:00`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePrinters(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			message, err := settings.message(cmd.Flags())
			if err != nil {
				return err
			}
			if proto.Size(message) == 0 {
				return usagef("nothing to set for printer %q; name a setting, such as --comment; see \"spoolhost printer set --help\"", args[0])
			}
			resp, err := c.UpdatePrinter(ctx, &apiv1.UpdatePrinterRequest{Spooler: c.spooler, Name: args[0], Settings: message})
			return c.printer(resp.GetPrinter(), err, "changed")
		}),
	}
	settings.register(cmd, opts)
	return cmd
}

// printer writes the printer that a command acted on.
func (c *call) printer(p *apiv1.Printer, err error, verb string) error {
	if err != nil {
		return err
	}
	return results(c.out, []*apiv1.Printer{p}, true, func(p *apiv1.Printer) string {
		return "printer " + p.GetName() + " " + verb + ": " + state(p.GetState(), p.GetReason())
	})
}

func newPrinterListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the printers",
		Long: `List all printers with their state (idle, printing, paused, offline, starting or missing) and the
number of jobs that are not finished.`,
		Example: `  spoolhost printer list
  spoolhost printer list -o json | jq -r '.[].name'`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			stream, err := c.ListPrinters(ctx, &apiv1.ListPrintersRequest{Spooler: c.spooler})
			printers, err := collect(stream, err, (*apiv1.ListPrintersResponse).GetPrinters)
			if err != nil {
				return err
			}
			return list(c.out, printers, "no printers", []string{"NAME", "STATE", "JOBS", "PORTS", "REASON"}, printerRow)
		}),
	}
}

func printerRow(p *apiv1.Printer) []string {
	return []string{
		p.GetName(), p.GetState(), fmt.Sprint(p.GetJobs()), orDash(strings.Join(p.GetPorts(), ", ")), cut(clean(p.GetReason()), 60),
	}
}

func newPrinterShowCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a printer and its settings",
		Long:              `Show one printer: its state and why, its ports and all its settings.`,
		Example:           `  spoolhost printer show Office`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePrinters(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.GetPrinter(ctx, &apiv1.GetPrinterRequest{Spooler: c.spooler, Name: args[0]})
			if err != nil {
				return err
			}
			p := resp.GetPrinter()
			return c.out.object(p, func(b *strings.Builder) { showPrinter(b, p) })
		}),
	}
}

func showPrinter(b *strings.Builder, p *apiv1.Printer) {
	var s sheet
	s.add("printer", p.GetName())
	s.add("spooler", p.GetSpooler())
	s.add("state", state(p.GetState(), p.GetReason()))
	s.add("tried again", localTime(p.GetRetryAt()))
	s.add("paused", yesNo(p.GetPaused()))
	s.add("jobs", fmt.Sprint(p.GetJobs()))
	s.add("ports", orDash(strings.Join(p.GetPorts(), ", ")))
	s.add("comment", p.GetComment())
	s.add("location", p.GetLocation())
	s.add("policy", p.GetPolicy())
	if p.GetMaxAttempts() == 0 {
		s.add("max attempts", "without limit")
	} else {
		s.add("max attempts", fmt.Sprint(p.GetMaxAttempts()))
	}
	if limit := p.GetJobLimit().AsDuration(); limit > 0 {
		s.add("job limit", limit.String())
	}
	s.add("priority", fmt.Sprint(p.GetPriority()))
	s.add("default job priority", fmt.Sprint(p.GetDefaultPriority()))
	s.add("prints", timeRange(p.GetStartTime(), p.GetUntilTime()))
	s.add("keeps printed jobs", yesNo(p.GetKeepPrintedJobs()))
	if p.GetStartPrinting() == "while-spooling" {
		s.add("starts printing", "while a document is being received")
	}
	s.add("takes new jobs", yesNo(p.GetAccepting()))
	if p.GetHoldNewJobs() {
		s.add("holds new jobs", "yes")
	}
	for _, list := range []struct {
		label string
		names []string
	}{{"formats", p.GetFormats()}, {"allowed", p.GetAllow()}, {"denied", p.GetDeny()}} {
		if len(list.names) > 0 {
			s.add(list.label, strings.Join(list.names, ", "))
		}
	}
	if p.GetDriver() != "" {
		s.add("driver", p.GetDriver())
	}
	s.add("change id", fmt.Sprint(p.GetChangeId()))
	s.add("made", localTime(p.GetCreatedAt()))
	s.write(b)
}
