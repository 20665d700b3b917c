package main

import (
	"context"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newPrinterPauseCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "pause NAME",
		Short: "Start no more documents on a printer",
		Long: `Pause a printer: a document that prints goes on, no other starts, and new jobs are
accepted and wait. It stays paused when the host restarts. Operators may do this.`,
		Example:           `  spoolhost printer pause Office`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePrinters(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.PausePrinter(ctx, &apiv1.PausePrinterRequest{Spooler: c.spooler, Name: args[0]})
			return c.printer(resp.GetPrinter(), err, "paused")
		}),
	}
}

func newPrinterResumeCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "resume NAME",
		Short:             "Undo pause",
		Long:              `Resume a paused printer: its waiting jobs print. Operators may do this.`,
		Example:           `  spoolhost printer resume Office`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePrinters(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.ResumePrinter(ctx, &apiv1.ResumePrinterRequest{Spooler: c.spooler, Name: args[0]})
			return c.printer(resp.GetPrinter(), err, "resumed")
		}),
	}
}

func newPrinterPurgeCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "purge NAME",
		Short: "Cancel every job of a printer",
		Long: `Cancel every job of a printer that is not finished, also one that prints. There is no
question and no way back. Operators may do this.`,
		Example: `  spoolhost printer purge Office
  spoolhost printer purge Office -o json | jq .cancelled`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePrinters(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.PurgePrinter(ctx, &apiv1.PurgePrinterRequest{Spooler: c.spooler, Name: args[0]})
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.PurgePrinterResponse{resp}, true, func(r *apiv1.PurgePrinterResponse) string {
				return "printer " + args[0] + " purged: " + plural(int(r.GetCancelled()), "job") + " cancelled"
			})
		}),
	}
}

func newPrinterDeleteCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a printer",
		Long: `Delete a printer. It is refused while the printer has jobs that are not finished: purge
it or move them first. Its ports stay. Only administrators may do this.`,
		Example: `  spoolhost printer delete Office
  spoolhost printer purge Office && spoolhost printer delete Office`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePrinters(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if _, err := c.DeletePrinter(ctx, &apiv1.DeletePrinterRequest{Spooler: c.spooler, Name: args[0]}); err != nil {
				return err
			}
			return c.out.done("printer %s deleted", args[0])
		}),
	}
}
