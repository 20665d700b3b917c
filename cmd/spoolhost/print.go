package main

import (
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// printFlags are the flags of print.
type printFlags struct {
	printer, title, start, until string
	priority                     uint32
	hold, wait                   bool
}

func newPrintCommand(opts *options) *cobra.Command {
	f := &printFlags{}
	cmd := &cobra.Command{
		Use:   "print -p PRINTER [FILE...]",
		Short: "Print files, or standard input",
		Long: `Send files to a printer, each as one job; without FILE, or for the FILE "-", standard
input. The bytes go to the device as they are. A job's id is shown when the host has the
whole document on disk: from then on it survives a crash of anything. If this command ends
before that, nothing is queued.

If one of several files fails, the others are still printed, and the command fails at its
end. With --wait it ends when all jobs have printed, or with code 8 as soon as it is clear
that one will not: it was cancelled, failed or held. Interrupting the wait leaves the jobs
alone. --timeout bounds neither the upload nor the wait unless it is given.`,
		Example: `  spoolhost print -p Office report.pdf
  pdftops report.pdf - | spoolhost print -p Office --title "Report, 3rd quarter" --wait
  spoolhost print -p Night --priority 50 --start 22:00 --until 06:00 *.ps
  spoolhost print -p Office --hold draft.pdf -o json | jq .id`,
		Args: cobra.ArbitraryArgs, // Files are completed by the shell.
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			return f.run(ctx, c, cmd.InOrStdin(), args)
		}),
	}
	f.register(cmd, opts)
	return cmd
}

func (f *printFlags) register(cmd *cobra.Command, opts *options) {
	flags := cmd.Flags()
	flags.StringVarP(&f.printer, "printer", "p", "", "the printer")
	flags.StringVar(&f.title, "title", "", "the jobs' title (default the file's name)")
	flags.Uint32Var(&f.priority, "priority", 0, "1 to 99, the highest first (default the printer's)")
	flags.BoolVar(&f.hold, "hold", false, "keep the job until it is released")
	flags.BoolVar(&f.wait, "wait", false, "wait until the jobs have printed")
	flags.StringVar(&f.start, "start", "00:00", "print from HH:MM (UTC)")
	flags.StringVar(&f.until, "until", "00:00", "print until HH:MM (UTC)")
	completeFlag(cmd, "printer", completePrinters(opts, 0))
	for _, name := range []string{"title", "priority", "start", "until"} {
		completeFlag(cmd, name, cobra.NoFileCompletions)
	}
	require(cmd, "printer")
	cmd.MarkFlagsMutuallyExclusive("hold", "wait")
	addSpoolerFlag(cmd, opts)
}

func (f *printFlags) run(ctx context.Context, c *call, stdin io.Reader, files []string) error {
	header, err := f.header(c.spooler)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		files = []string{stdinName}
	}
	if first := slices.Index(files, stdinName); first >= 0 && slices.Contains(files[first+1:], stdinName) {
		return usagef("standard input (\"-\") can be printed only once")
	}
	jobs, failed := f.submitAll(ctx, c, header, stdin, files)
	if f.wait {
		jobs, failed = waitAll(ctx, c, jobs, failed)
	}
	if err := results(c.out, jobs, len(files) == 1, f.line(c.out)); err != nil {
		failed = append(failed, err)
	}
	return failed.err()
}

// header is what all files of the command have in common.
func (f *printFlags) header(spooler string) (*apiv1.SubmitHeader, error) {
	start, err := parseTimeOfDay(f.start)
	if err != nil {
		return nil, err
	}
	until, err := parseTimeOfDay(f.until)
	if err != nil {
		return nil, err
	}
	return &apiv1.SubmitHeader{
		Spooler: spooler, Printer: f.printer, Title: f.title, Priority: f.priority, Hold: f.hold,
		StartTime: start, UntilTime: until,
	}, nil
}

// submitAll submits one file after the other and goes on after a failure, but not after
// one that all others would share.
func (f *printFlags) submitAll(ctx context.Context, c *call, header *apiv1.SubmitHeader, stdin io.Reader, files []string) (jobs []*apiv1.Job, failed failures) {
	for _, name := range files {
		src, err := newSource(name, stdin)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		job, err := submitFile(ctx, c, header, src)
		if err == nil {
			jobs = append(jobs, job)
			continue
		}
		if len(files) > 1 {
			err = spoolerr.Wrap(err, "%s", quotePath(name))
		}
		failed = append(failed, err)
		if ctx.Err() != nil || hopeless(err) {
			break
		}
	}
	return jobs, failed
}

// hopeless says that the next file would fail alike: no host answers.
func hopeless(err error) bool {
	return spoolerr.KindOf(err) == spoolerr.Unavailable || spoolerr.KindOf(err) == spoolerr.Cancelled
}

// line tells a person what became of a job.
func (f *printFlags) line(o output) func(*apiv1.Job) string {
	return func(j *apiv1.Job) string {
		what := "job " + jobID(j.GetId()) + ": " + cut(clean(j.GetTitle()), titleColumns) + ", " + size(j.GetSize())
		last := lastAttempt(j)
		if !f.wait || last == nil || j.GetState() != jobPrinted {
			return what + ", " + state(j.GetState(), j.GetReason()) + " on " + j.GetPrinter()
		}
		return what + ", printed by " + last.GetPort() + " in " + took(last.GetStartedAt(), last.GetEndedAt(), o.now())
	}
}
