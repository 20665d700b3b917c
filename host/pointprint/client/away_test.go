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
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
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
	refuses       atomic.Bool
}

// refusal is what one says that lets nobody see or change its jobs.
func (j *farJobs) refusal() error {
	if !j.refuses.Load() {
		return nil
	}
	return spoolgrpc.ToStatus(spoolerr.New(spoolerr.Denied, 0, "job 7 belongs to somebody else"))
}

func (j *farJobs) GetJob(_ context.Context, r *apiv1.GetJobRequest) (*apiv1.GetJobResponse, error) {
	if j.asked != nil {
		j.asked <- struct{}{}
		<-j.answer
	}
	return &apiv1.GetJobResponse{Job: &apiv1.Job{Id: r.GetId(), State: string(job.Queued)}}, j.refusal()
}

func (j *farJobs) CancelJob(_ context.Context, r *apiv1.CancelJobRequest) (*apiv1.CancelJobResponse, error) {
	if err := j.refusal(); err != nil {
		return nil, err
	}
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
	a, kept, sentJob, ask := newAway(t)
	a.server.jobs.asked, a.server.jobs.answer = make(chan struct{}), make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() { ask() })
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

// newAway is a client that has sent a job away, and asks how it stands when ask is called.
func newAway(t *testing.T) (a *attack, kept records, sentJob *job.Job, ask func() (moved bool)) {
	t.Helper()
	a = newAttack(t, confine.Color)
	if why := a.add(); why != "" {
		t.Fatal(why)
	}
	kept = records{stands: make(chan job.Forward, 8)}
	a.client.cfg.Jobs = kept
	n := Name{Server: "S", Printer: "q"}
	sentJob = &job.Job{ID: 1, State: job.Printed, Forwarded: []job.Forward{{Printer: n.String(), ID: 7, Key: "k"}}}
	a.client.note(1, sentJob.Forwarded[0])
	con, err := a.client.Get(n)
	a.must(err)
	return a, kept, sentJob, func() bool {
		list, _ := a.client.sentTo(n)
		return a.client.inquire(t.Context(), &con, list)
	}
}

// TestRefusalIsNotTheEnd: a server that does not say how a job stands is asked again, ever
// less often, and a cancellation stays to be done.
func TestRefusalIsNotTheEnd(t *testing.T) {
	a, kept, sentJob, ask := newAway(t)
	a.server.jobs.refuses.Store(true)
	if !ask() || ask() {
		t.Error("the first refusal is news, the second is not")
	}
	if f := a.client.Forwards(sentJob)[0]; f.Over || !strings.Contains(f.Problem, "does not let this host say how it stands") {
		t.Errorf("%+v", f)
	}
	if err := a.client.Cancel(t.Context(), sentJob); spoolerr.KindOf(err) != spoolerr.Denied || !strings.Contains(err.Error(), "cancel it") {
		t.Errorf("%v", err)
	}
	if f := <-kept.stands; !f.Cancel || f.Over {
		t.Errorf("recorded: %+v", f)
	}
	a.server.jobs.refuses.Store(false)
	if !ask() || !a.server.jobs.cancelled.Load() || len(a.client.Away()) != 0 {
		t.Errorf("cancelled there: %v; still followed: %v", a.server.jobs.cancelled.Load(), a.client.Away())
	}
}
