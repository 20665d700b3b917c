package client

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// TestStandsIsText: a reason is not cut inside a letter; an answer with half of one could
// not be sent.
func TestStandsIsText(t *testing.T) {
	for _, before := range []string{"", "x"} {
		var f job.Forward
		stands(&f, &apiv1.Job{Reason: before + strings.Repeat("é", 1000)})
		if n := len(f.Reason); !utf8.ValidString(f.Reason) || n < 500 || n > 512 {
			t.Errorf("%d bytes: %q", n, f.Reason)
		}
	}
}

// farJobs are a server's jobs. One that is asked about says so on asked, if there is such, and
// waits for answer.
type farJobs struct {
	apiv1.UnimplementedJobsServer
	asked, answer chan struct{}
	cancelled     atomic.Bool
}

func (j *farJobs) GetJob(_ context.Context, r *apiv1.GetJobRequest) (*apiv1.GetJobResponse, error) {
	if j.asked != nil {
		j.asked <- struct{}{}
		<-j.answer
	}
	return &apiv1.GetJobResponse{Job: &apiv1.Job{Id: r.GetId(), State: string(job.Queued)}}, nil
}

func (j *farJobs) CancelJob(_ context.Context, r *apiv1.CancelJobRequest) (*apiv1.CancelJobResponse, error) {
	j.cancelled.Store(true)
	return &apiv1.CancelJobResponse{Job: &apiv1.Job{Id: r.GetId(), State: string(job.Cancelled)}}, nil
}

// records keeps how jobs stand elsewhere.
type records struct {
	Jobs
	stands chan job.Forward
}

func (r records) Away(context.Context) ([]*job.Job, error) { return nil, nil }
func (r records) Stands(_ context.Context, _ uint64, f job.Forward) error {
	r.stands <- f
	return nil
}

// TestCancelledWhileTheServerIsAsked: what a server says of a job does not undo a cancellation
// that was asked for while it was on the way.
func TestCancelledWhileTheServerIsAsked(t *testing.T) {
	a := newAttack(t, confine.Color)
	a.server.jobs.asked, a.server.jobs.answer = make(chan struct{}), make(chan struct{})
	if why := a.add(); why != "" {
		t.Fatal(why)
	}
	kept := records{stands: make(chan job.Forward, 8)}
	a.client.cfg.Jobs = kept
	n := Name{Server: "S", Printer: "q"}
	sentJob := &job.Job{ID: 1, State: job.Printed, Forwarded: []job.Forward{{Printer: n.String(), ID: 7, Key: "k"}}}
	a.client.note(1, sentJob.Forwarded[0])
	list, _ := a.client.sentTo(n)
	con, err := a.client.Get(n)
	a.must(err)
	var both sync.WaitGroup
	both.Go(func() { a.client.inquire(t.Context(), &con, list) })
	<-a.server.jobs.asked
	both.Go(func() {
		if err := a.client.Cancel(t.Context(), sentJob); err != nil {
			t.Error(err)
		}
	})
	if asked := <-kept.stands; !asked.Cancel {
		t.Errorf("recorded first: %+v", asked)
	}
	close(a.server.jobs.answer) // the job is queued, the server says
	both.Wait()
	if !a.server.jobs.cancelled.Load() || len(a.client.Away()) != 0 {
		t.Errorf("cancelled there: %v; still followed: %v", a.server.jobs.cancelled.Load(), a.client.Away())
	}
}
