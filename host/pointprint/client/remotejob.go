package client

import (
	"context"

	"github.com/spoolhost/spoolhost/host/job"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// Job asks a server how a job stands that came from here.
func (c *Client) Job(ctx context.Context, to job.Forward) (found *apiv1.Job, err error) {
	n, err := ParseName(to.Printer)
	if err != nil {
		return nil, err
	}
	con, err := c.Get(n)
	if err != nil {
		return nil, err
	}
	r := c.remote(&con)
	defer func() { _ = r.Close() }()
	err = r.do(ctx, func(ctx context.Context, l *link) error {
		a, err := l.jobs.GetJob(ctx, &apiv1.GetJobRequest{Spooler: r.to(), Id: to.ID})
		found = a.GetJob()
		return err
	})
	return found, err
}
