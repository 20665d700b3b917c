package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The states of a job that decide something here.
const (
	jobHeld      = "held"
	jobPrinting  = "printing"
	jobPrinted   = "printed"
	jobCancelled = "cancelled"
	jobFailed    = "failed"
)

// waitAll waits for every job in turn and gives them as they ended.
func waitAll(ctx context.Context, c *call, jobs []*apiv1.Job, failed failures) ([]*apiv1.Job, failures) {
	for i, job := range jobs {
		ended, err := waitJob(ctx, c, job)
		jobs[i] = ended
		if err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil || hopeless(err) {
			break
		}
	}
	return jobs, failed
}

// waitJob watches a job until it has printed or will not. It gives the job as it was seen
// last, also with an error.
func waitJob(ctx context.Context, c *call, job *apiv1.Job) (*apiv1.Job, error) {
	ctx, cancel := context.WithCancel(ctx) // Ends the watch of a job that is held.
	defer cancel()
	bar := newBar(c.out, "waiting", int64(job.GetSize()))
	defer bar.finish()
	stream, err := c.WatchJob(ctx, &apiv1.WatchJobRequest{Spooler: c.spooler, Id: job.GetId()})
	for err == nil {
		var resp *apiv1.WatchJobResponse
		if resp, err = stream.Recv(); err != nil {
			break
		}
		if resp.GetJob() == nil {
			continue
		}
		job = resp.GetJob()
		bar.follow(job)
		if done, err := verdict(job); done {
			return job, err
		}
	}
	return job, stillWaiting(c, job, err)
}

// verdict says whether a wait is over, and how.
func verdict(job *apiv1.Job) (done bool, err error) {
	id := jobID(job.GetId())
	because := ""
	if job.GetReason() != "" {
		because = ": " + job.GetReason()
	}
	switch job.GetState() {
	case jobPrinted:
		return verdictElsewhere(job)
	case jobCancelled, jobFailed:
		return true, &notPrintedError{fmt.Sprintf("job %s did not print, it was %s%s; see \"spoolhost why job %s\"",
			id, map[string]string{jobCancelled: "cancelled", jobFailed: "given up"}[job.GetState()], because, id)}
	case jobHeld:
		return true, &notPrintedError{fmt.Sprintf("job %s is held%s; print it with \"spoolhost job release %s\"", id, because, id)}
	}
	return false, nil
}

// verdictElsewhere is verdict for a job that has gone to the printer of another host.
func verdictElsewhere(job *apiv1.Job) (done bool, err error) {
	for _, f := range job.GetForwarded() {
		there := f.GetJob()
		if there == nil && f.GetOver() {
			return true, elsewhere(f, &notPrintedError{"nobody knows whether it printed: " + f.GetProblem()})
		}
		if there == nil {
			return false, nil // the server cannot be asked just now
		}
		if done, err := verdict(there); !done || err != nil {
			return done, elsewhere(f, err)
		}
	}
	return true, nil
}

func elsewhere(f *apiv1.ForwardedJob, err error) error {
	if err == nil {
		return nil
	}
	return &notPrintedError{"at " + f.GetPrinter() + ": " + err.Error()}
}

// stillWaiting is the error of a wait that ended before its job. The job is safe.
func stillWaiting(c *call, job *apiv1.Job, err error) error {
	id := jobID(job.GetId())
	switch {
	case errors.Is(err, io.EOF):
		return spoolerr.New(spoolerr.Internal, 0, "the host stopped reporting job %s, which is %s; see \"spoolhost job show %s\"", id, job.GetState(), id)
	case spoolerr.KindOf(err) == spoolerr.Cancelled:
		return spoolerr.New(spoolerr.Cancelled, 0, "interrupted; job %s is %s and stays, cancel it with \"spoolhost job cancel %s\"", id, job.GetState(), id)
	case spoolerr.KindOf(err) == spoolerr.TimedOut:
		return spoolerr.New(spoolerr.TimedOut, 0, "job %s has not printed within %s, it is %s and stays; see \"spoolhost why job %s\"",
			id, c.timeout, state(job.GetState(), job.GetReason()), id)
	}
	return spoolerr.Wrap(err, "job %s stays in its queue, but it cannot be watched", id)
}
