package api

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

func (b *bench) pause(printer string) {
	b.Helper()
	_, err := b.printers(operator).PausePrinter(b.Context(), &apiv1.PausePrinterRequest{Name: printer})
	b.must(err)
}

// list gives the ids that a caller sees, and the number of messages.
func (b *bench) list(uid int64, r *apiv1.ListJobsRequest) (ids []uint64, messages int) {
	b.Helper()
	stream, err := b.jobs(uid).ListJobs(b.Context(), r)
	b.must(err)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return ids, messages
		}
		b.must(err)
		messages++
		for _, j := range m.GetJobs() {
			ids = append(ids, j.GetId())
		}
	}
}

func TestSubmissionsThatBreakOff(t *testing.T) {
	b := newBench(t)
	b.printer("p", nil)
	b.pause("p")
	big := strings.Repeat("x", 1<<20)
	cases := map[string]struct {
		parts []*apiv1.SubmitJobRequest
		kind  spoolerr.Kind
	}{
		"nothing":           {nil, spoolerr.Invalid},
		"no header":         {[]*apiv1.SubmitJobRequest{chunk("x"), end(1)}, spoolerr.Invalid},
		"an empty message":  {[]*apiv1.SubmitJobRequest{{}}, spoolerr.Invalid},
		"header only":       {[]*apiv1.SubmitJobRequest{header("p")}, spoolerr.Invalid},
		"no end":            {[]*apiv1.SubmitJobRequest{header("p"), chunk(big), chunk(big)}, spoolerr.Invalid},
		"too much promised": {[]*apiv1.SubmitJobRequest{header("p"), chunk("x"), end(2)}, spoolerr.Invalid},
		"too little":        {[]*apiv1.SubmitJobRequest{header("p"), chunk("xx"), end(1)}, spoolerr.Invalid},
		"empty document":    {[]*apiv1.SubmitJobRequest{header("p"), end(0)}, spoolerr.Invalid},
		"two headers":       {[]*apiv1.SubmitJobRequest{header("p"), header("p"), end(0)}, spoolerr.Invalid},
		"chunk too long":    {[]*apiv1.SubmitJobRequest{header("p"), chunk(big + "x")}, spoolerr.Invalid},
		"message too long":  {[]*apiv1.SubmitJobRequest{header("p"), chunk(big + big)}, spoolerr.Exhausted},
		"unknown printer":   {[]*apiv1.SubmitJobRequest{header("q"), chunk("x"), end(1)}, spoolerr.NotFound},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if j, err := b.send(t.Context(), ann, c.parts...); !errors.Is(err, c.kind) {
				t.Errorf("%v %v", j, err)
			}
			if n := b.documents(); n != 0 {
				t.Errorf("%d files are left", n)
			}
		})
	}
	if ids, _ := b.list(root, &apiv1.ListJobsRequest{All: true}); len(ids) != 0 {
		t.Errorf("queued %v", ids)
	}
	if id := b.submit(ann, "p", big); id != 1 {
		t.Errorf("a refused submission took an id: the first job has %d", id)
	}
}

func TestClientDisappears(t *testing.T) {
	b := newBench(t)
	b.printer("p", nil)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := b.jobs(ann).SubmitJob(ctx)
	b.must(err)
	b.must(stream.Send(header("p")))
	b.must(stream.Send(chunk(strings.Repeat("half a document", 40_000))))
	b.until("the document is being spooled", func() bool { return b.documents() == 1 })
	cancel()
	b.until("nothing is left", func() bool { return b.documents() == 0 })
	if ids, _ := b.list(root, &apiv1.ListJobsRequest{All: true}); len(ids) != 0 {
		t.Errorf("queued %v", ids)
	}
}

func TestOwnJobsOnly(t *testing.T) {
	b := newBench(t)
	b.printer("p", nil)
	b.pause("p")
	hers, his := b.submit(ann, "p", "x"), b.submit(bob, "p", "y")
	for uid, want := range map[int64][]uint64{ann: {hers}, bob: {his}, operator: {hers, his}, root: {hers, his}, unknown: nil} {
		if got, _ := b.list(uid, &apiv1.ListJobsRequest{}); !slices.Equal(got, want) {
			t.Errorf("caller %d sees %v, want %v", uid, got, want)
		}
	}
	for name, act := range b.actions(hers) {
		for _, uid := range []int64{bob, unknown} {
			if err := spoolgrpc.FromStatus(act(b.jobs(uid))); !errors.Is(err, spoolerr.Denied) {
				t.Errorf("caller %d may %s: %v", uid, name, err)
			}
		}
	}
	for _, uid := range []int64{ann, operator, root} { // in this order all of it works
		for _, name := range []string{"get", "hold", "release", "restart", "move"} {
			if err := b.actions(hers)[name](b.jobs(uid)); err != nil {
				t.Errorf("caller %d: %s: %v", uid, name, err)
			}
		}
	}
	b.must(b.actions(hers)["cancel"](b.jobs(ann)))
	b.must(b.actions(his)["cancel"](b.jobs(operator)))
	if got, _ := b.list(ann, &apiv1.ListJobsRequest{All: true}); !slices.Equal(got, []uint64{hers}) {
		t.Errorf("finished jobs: ann sees %v", got)
	}
}

// TestOwnJobsByKey: whoever submitted a job with a key may ask of it and cancel it with that,
// also somebody of whom nothing is known. Others' keys are others', even if they are equal.
func TestOwnJobsByKey(t *testing.T) {
	b := newBench(t)
	b.printer("p", nil)
	b.pause("p")
	const key, other = "a key of sixteen letters", "another key of sixteen letters"
	h := header("p")
	h.GetHeader().IdempotencyKey = key
	j, err := b.send(t.Context(), unknown, h, chunk("x"), end(1))
	b.must(err)
	id := j.GetId()
	for _, c := range []struct {
		uid  int64
		id   uint64
		key  string
		want spoolerr.Kind
	}{
		{unknown, id, "", spoolerr.Denied}, {unknown, id, other, spoolerr.Denied}, {unknown, 0, other, spoolerr.NotFound},
		{unknown, id + 1, key, spoolerr.NotFound}, {unknown, id, "short", spoolerr.Invalid},
		{ann, id, key, spoolerr.Denied}, {ann, 0, key, spoolerr.NotFound},
		{unknown, id, key, 0}, {unknown, 0, key, 0}, {operator, id, other, 0},
	} {
		got, err := b.jobs(c.uid).GetJob(t.Context(), &apiv1.GetJobRequest{Id: c.id, IdempotencyKey: c.key})
		if spoolerr.KindOf(spoolgrpc.FromStatus(err)) != c.want || err == nil && got.GetJob().GetId() != id {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
		if c.want == 0 {
			continue
		}
		if _, err := b.jobs(c.uid).CancelJob(t.Context(), &apiv1.CancelJobRequest{Id: c.id, IdempotencyKey: c.key}); spoolerr.KindOf(spoolgrpc.FromStatus(err)) != c.want {
			t.Errorf("cancel %+v: %v", c, err)
		}
	}
	_, err = b.jobs(unknown).CancelJob(t.Context(), &apiv1.CancelJobRequest{Id: id, IdempotencyKey: key})
	b.must(err)
}

func (b *bench) actions(id uint64) map[string]func(apiv1.JobsClient) error {
	ctx := b.Context()
	return map[string]func(apiv1.JobsClient) error{
		"get":  func(c apiv1.JobsClient) error { _, err := c.GetJob(ctx, &apiv1.GetJobRequest{Id: id}); return err },
		"hold": func(c apiv1.JobsClient) error { _, err := c.HoldJob(ctx, &apiv1.HoldJobRequest{Id: id}); return err },
		"release": func(c apiv1.JobsClient) error {
			_, err := c.ReleaseJob(ctx, &apiv1.ReleaseJobRequest{Id: id})
			return err
		},
		"restart": func(c apiv1.JobsClient) error {
			_, err := c.RestartJob(ctx, &apiv1.RestartJobRequest{Id: id})
			return err
		},
		"cancel": func(c apiv1.JobsClient) error {
			_, err := c.CancelJob(ctx, &apiv1.CancelJobRequest{Id: id})
			return err
		},
		"move": func(c apiv1.JobsClient) error {
			_, err := c.MoveJob(ctx, &apiv1.MoveJobRequest{Id: id, Printer: "p"})
			return err
		},
		"watch": func(c apiv1.JobsClient) error {
			stream, err := c.WatchJob(ctx, &apiv1.WatchJobRequest{Id: id})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		},
	}
}

// The list is in order of id, finished and unfinished jobs together, in pages.
func TestListOrderAndPages(t *testing.T) {
	b := newBench(t)
	b.printer("p", nil)
	b.printer("other", nil)
	b.pause("p")
	b.pause("other")
	const jobs = 300
	for i := range jobs {
		name := "p"
		if i%10 == 9 {
			name = "other"
		}
		id := b.submit(ann, name, "x")
		if i%3 == 0 {
			b.must(b.actions(id)["cancel"](b.jobs(ann)))
		}
	}
	all, messages := b.list(root, &apiv1.ListJobsRequest{All: true})
	if len(all) != jobs || !slices.IsSorted(all) || messages != 2 {
		t.Errorf("%d jobs in %d messages", len(all), messages)
	}
	if active, _ := b.list(root, &apiv1.ListJobsRequest{}); len(active) != jobs-jobs/3 || !slices.IsSorted(active) || slices.Contains(active, 1) {
		t.Errorf("%d active jobs", len(active))
	}
	if others, _ := b.list(root, &apiv1.ListJobsRequest{All: true, Printer: "OTHER"}); len(others) != jobs/10 || others[0] != 10 {
		t.Errorf("other has %v", others)
	}
	stream, err := b.jobs(root).ListJobs(t.Context(), &apiv1.ListJobsRequest{Printer: "nowhere"})
	b.must(err)
	if _, err := stream.Recv(); !errors.Is(spoolgrpc.FromStatus(err), spoolerr.CodeInvalidPrinterName) {
		t.Errorf("%v", err)
	}
}

func TestWatchToTheEnd(t *testing.T) {
	b := newBench(t)
	b.printer("p", nil)
	b.pause("p")
	id := b.submit(ann, "p", "x")
	stream, err := b.jobs(ann).WatchJob(t.Context(), &apiv1.WatchJobRequest{Id: id})
	b.must(err)
	states := []string{b.next(stream).GetState()}
	_, err = b.printers(operator).ResumePrinter(t.Context(), &apiv1.ResumePrinterRequest{Name: "p"})
	b.must(err)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		b.must(err)
		states = append(states, m.GetJob().GetState())
	}
	if states[0] != "queued" || states[len(states)-1] != "printed" {
		t.Errorf("%v", states)
	}
	again, err := b.jobs(ann).WatchJob(t.Context(), &apiv1.WatchJobRequest{Id: id}) // a finished job is told once
	b.must(err)
	b.next(again)
	if _, err := again.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

func (b *bench) next(stream grpc.ServerStreamingClient[apiv1.WatchJobResponse]) *apiv1.Job {
	b.Helper()
	m, err := stream.Recv()
	b.must(err)
	return m.GetJob()
}
