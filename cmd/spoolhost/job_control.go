package main

import (
	"context"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// jobAction is what one of the commands below does to one job.
type jobAction func(ctx context.Context, c *call, id uint64) (*apiv1.Job, error)

// onJobs makes the RunE of a command that does the same to several jobs. It goes on after
// a job that refuses.
func onJobs(opts *options, do jobAction) func(*cobra.Command, []string) error {
	return withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
		ids := make([]uint64, len(args))
		for i, arg := range args {
			var err error
			if ids[i], err = parseJobID(arg); err != nil {
				return err
			}
		}
		var jobs []*apiv1.Job
		var failed failures
		for _, id := range ids {
			job, err := do(ctx, c, id)
			if err != nil {
				failed = append(failed, err)
				if hopeless(err) {
					break
				}
				continue
			}
			jobs = append(jobs, job)
		}
		if err := results(c.out, jobs, len(ids) == 1, jobLine); err != nil {
			failed = append(failed, err)
		}
		return failed.err()
	})
}

func jobLine(j *apiv1.Job) string {
	line := "job " + jobID(j.GetId()) + ": " + state(stateAnywhere(j), j.GetReason()) + " on " + j.GetPrinter()
	for _, f := range j.GetForwarded() {
		if f.GetProblem() != "" {
			line += "; " + clean(f.GetProblem())
		}
	}
	return line
}

func newJobCancelCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "cancel ID...",
		Short:             "End jobs for good",
		Long:              `Cancel jobs, also ones that print: the device gets no further byte of them.`,
		Example:           `  spoolhost job cancel 12 13`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: complete(opts, 0, jobIDs(false)),
		RunE: onJobs(opts, func(ctx context.Context, c *call, id uint64) (*apiv1.Job, error) {
			resp, err := c.CancelJob(ctx, &apiv1.CancelJobRequest{Spooler: c.spooler, Id: id})
			return resp.GetJob(), err
		}),
	}
}

func newJobHoldCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "hold ID...",
		Short:             "Keep jobs from printing",
		Long:              `Hold jobs: they keep their place but do not print until released. One that prints is stopped.`,
		Example:           `  spoolhost job hold 12`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: complete(opts, 0, jobIDs(false)),
		RunE: onJobs(opts, func(ctx context.Context, c *call, id uint64) (*apiv1.Job, error) {
			resp, err := c.HoldJob(ctx, &apiv1.HoldJobRequest{Spooler: c.spooler, Id: id})
			return resp.GetJob(), err
		}),
	}
}

func newJobReleaseCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "release ID...",
		Short: "Let held jobs print",
		Long: `Release held jobs, whether a person held them or the host did, because their attempts
failed too often or by the printer's policy.`,
		Example:           `  spoolhost job release 12`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: complete(opts, 0, jobIDs(false)),
		RunE: onJobs(opts, func(ctx context.Context, c *call, id uint64) (*apiv1.Job, error) {
			resp, err := c.ReleaseJob(ctx, &apiv1.ReleaseJobRequest{Spooler: c.spooler, Id: id})
			return resp.GetJob(), err
		}),
	}
}

func newJobRestartCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "restart ID...",
		Short: "Print jobs again from their first byte",
		Long: `Print jobs from their first byte: ones that print, or finished ones whose document is
still kept (see "printer set --keep-printed-jobs").`,
		Example:           `  spoolhost job restart 12`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: complete(opts, 0, jobIDs(true)),
		RunE: onJobs(opts, func(ctx context.Context, c *call, id uint64) (*apiv1.Job, error) {
			resp, err := c.RestartJob(ctx, &apiv1.RestartJobRequest{Spooler: c.spooler, Id: id})
			return resp.GetJob(), err
		}),
	}
}

func newJobMoveCommand(opts *options) *cobra.Command {
	var printer string
	cmd := &cobra.Command{
		Use:   "move ID... --printer PRINTER",
		Short: "Move jobs to another printer",
		Long: `Move jobs to another printer of the same spooler. One that prints stops, and starts anew
there.`,
		Example:           `  spoolhost job move 12 13 --printer Office2`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: complete(opts, 0, jobIDs(false)),
		RunE: onJobs(opts, func(ctx context.Context, c *call, id uint64) (*apiv1.Job, error) {
			resp, err := c.MoveJob(ctx, &apiv1.MoveJobRequest{Spooler: c.spooler, Id: id, Printer: printer})
			return resp.GetJob(), err
		}),
	}
	cmd.Flags().StringVarP(&printer, "printer", "p", "", "the printer to move to")
	completeFlag(cmd, "printer", completePrinters(opts, 0))
	require(cmd, "printer")
	return cmd
}
