package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// titleColumns is the width that a title gets in a line with other things.
const titleColumns = 40

func newJobCommand(opts *options) *cobra.Command {
	group := newGroupCommand("job", "Show and control jobs",
		`A job is a document in a printer's queue. It is queued, held, printing, and in the end
printed, cancelled or failed. Each try to print it is an attempt with its own record. You
may act on your own jobs, operators on all.`,
		`  spoolhost job list
  spoolhost job show 12
  spoolhost job move 12 13 --printer Office2`,
		newJobListCommand(opts), newJobShowCommand(opts), newJobCancelCommand(opts), newJobHoldCommand(opts),
		newJobReleaseCommand(opts), newJobRestartCommand(opts), newJobMoveCommand(opts))
	addSpoolerFlag(group, opts)
	return group
}

func newJobListCommand(opts *options) *cobra.Command {
	var printer string
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs that are not finished",
		Long: `List the jobs that are not finished, in order of id; with --all every job of which the
host still keeps the record. A job at the printer of a connection is listed until the server
has finished it, with its state there.`,
		Example: `  spoolhost job list
  spoolhost job list -p Office --all
  spoolhost job list -o json | jq '[.[] | select(.state == "held") | .id]'`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			stream, err := c.ListJobs(ctx, &apiv1.ListJobsRequest{Spooler: c.spooler, Printer: printer, All: all})
			jobs, err := collect(stream, err, (*apiv1.ListJobsResponse).GetJobs)
			if err != nil {
				return err
			}
			return list(c.out, jobs, "no jobs", []string{"ID", "PRINTER", "STATE", "SIZE", "USER", "SUBMITTED", "TITLE"}, jobRow)
		}),
	}
	cmd.Flags().StringVarP(&printer, "printer", "p", "", "only the jobs of this printer")
	cmd.Flags().BoolVar(&all, "all", false, "finished jobs too")
	completeFlag(cmd, "printer", completePrinters(opts, 0))
	return cmd
}

func jobRow(j *apiv1.Job) []string {
	return []string{
		jobID(j.GetId()), j.GetPrinter(), stateAnywhere(j), size(j.GetSize()), orDash(j.GetUser()),
		localTime(j.GetSubmittedAt()), cut(clean(j.GetTitle()), titleColumns),
	}
}

// stateAnywhere is the state of a job; one that was passed on to another host has the state
// that it has there.
func stateAnywhere(j *apiv1.Job) string {
	for _, f := range j.GetForwarded() {
		switch there := f.GetJob().GetState(); {
		case f.GetOver() && (there == jobPrinted || there == ""):
		case there == "":
			return "sent"
		default:
			return there + " there"
		}
	}
	return j.GetState()
}

func newJobShowCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a job and its attempts",
		Long:  `Show one job: its state and why, and each attempt with its port, outcome and bytes sent.`,
		Example: `  spoolhost job show 12
  spoolhost job show 12 -o json | jq '.attempts[] | {outcome, bytesSent}'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(opts, 1, jobIDs(true)),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			id, err := parseJobID(args[0])
			if err != nil {
				return err
			}
			resp, err := c.GetJob(ctx, &apiv1.GetJobRequest{Spooler: c.spooler, Id: id})
			if err != nil {
				return err
			}
			j := resp.GetJob()
			return c.out.object(j, func(b *strings.Builder) { showJob(b, j, c.out) })
		}),
	}
}

func showJob(b *strings.Builder, j *apiv1.Job, o output) {
	var s sheet
	s.add("job", jobID(j.GetId()))
	s.add("title", j.GetTitle())
	s.add("printer", j.GetPrinter())
	s.add("spooler", j.GetSpooler())
	s.add("user", j.GetUser())
	s.add("state", state(j.GetState(), j.GetReason()))
	if j.GetMayHavePrinted() {
		s.add("caution", "it may be on paper already, although it is not recorded as printed")
	}
	s.add("size", exactSize(j.GetSize()))
	s.add("digest", j.GetDigest())
	for _, f := range j.GetForwarded() {
		s.add("forwarded", forwardedText(f))
	}
	s.add("datatype", j.GetDatatype())
	s.add("priority", fmt.Sprint(j.GetPriority()))
	s.add("prints", timeRange(j.GetStartTime(), j.GetUntilTime()))
	s.add("submitted", localTime(j.GetSubmittedAt()))
	s.add("ended", localTime(j.GetEndedAt()))
	s.write(b)
	showAttempts(b, j, o)
}

func showAttempts(b *strings.Builder, j *apiv1.Job, o output) {
	if len(j.GetAttempts()) == 0 {
		b.WriteString("\nno attempts\n")
		return
	}
	b.WriteByte('\n')
	t := table{header: []string{"ATTEMPT", "OUTCOME", "SENT", "PORT", "STARTED", "TOOK", "ERROR"}}
	for _, a := range j.GetAttempts() {
		outcome := a.GetOutcome()
		if a.GetTries() > 1 {
			outcome += fmt.Sprintf(" (%d times)", a.GetTries())
		}
		t.add(fmt.Sprint(a.GetNumber()), outcome, size(a.GetBytesSent()), a.GetPort(), localTime(a.GetStartedAt()),
			took(a.GetStartedAt(), a.GetEndedAt(), o.now()), a.GetError())
	}
	t.write(b, "")
}

// lastAttempt gives the latest attempt of a job, or nil.
func lastAttempt(j *apiv1.Job) *apiv1.Attempt {
	if n := len(j.GetAttempts()); n > 0 {
		return j.GetAttempts()[n-1]
	}
	return nil
}

func jobID(id uint64) string { return strconv.FormatUint(id, 10) }

func parseJobID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, usagef("job id %q is not a number; \"spoolhost job list\" shows the ids", s)
	}
	return id, nil
}
