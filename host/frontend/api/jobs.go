package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type jobsServer struct {
	apiv1.UnimplementedJobsServer
	*Server
}

type submitStream = grpc.ClientStreamingServer[apiv1.SubmitJobRequest, apiv1.SubmitJobResponse]

func (s *jobsServer) SubmitJob(stream submitStream) error {
	first, err := stream.Recv()
	if err != nil {
		return brokenOff(err)
	}
	h := first.GetHeader()
	if h == nil {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "a submission must begin with its header")
	}
	sp, err := s.taker(stream.Context(), h)
	if err != nil {
		return err
	}
	c := callerOf(stream.Context())
	if v, err := sp.Printer(h.GetPrinter()); err == nil && !c.MayPrint(v.Allow, v.Deny) {
		return spoolerr.New(spoolerr.Denied, 0, "%s may not print to printer %s; ask an administrator of this host", c.Name, spool.Quote(v.Name))
	}
	key, err := submissionKey(c, h.GetIdempotencyKey())
	if err != nil {
		return err
	}
	j, err := sp.Submit(stream.Context(), spooler.Submission{
		Printer: h.GetPrinter(), Title: h.GetTitle(), User: behalf(c, h.GetOnBehalfOf()), UID: c.UID, Account: c.Account, Datatype: h.GetDatatype(),
		Priority: h.GetPriority(), Hold: h.GetHold(), StartTime: h.GetStartTime(), UntilTime: h.GetUntilTime(), Key: key,
	}, &submitReader{stream: stream})
	if err != nil {
		return err
	}
	return stream.SendAndClose(&apiv1.SubmitJobResponse{Job: jobToProto(sp, j)})
}

// behalf names the job's user: whom the caller passes it on for is what it says.
func behalf(c caller, person string) string {
	if person == "" || person == c.Name {
		return c.Name
	}
	return person + " via " + c.Name
}

// taker gives who takes a job: the spooler itself, or this host on behalf of one that
// another node owns, or none just now.
func (s *jobsServer) taker(ctx context.Context, h *apiv1.SubmitHeader) (*spooler.Spooler, error) {
	sp, err := s.spooler(h.GetSpooler())
	if err != nil && s.cfg.Cluster != nil {
		return s.cfg.Cluster.Intake(ctx, h.GetSpooler(), h.GetPrinter())
	}
	return sp, err
}

// submitReader gives the bytes of a submission. It ends only at the explicit end: a
// stream that breaks off is an error, so that nothing is queued of it.
type submitReader struct {
	stream submitStream
	rest   []byte
	total  uint64
	ended  bool
}

func (r *submitReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *submitReader) next() error {
	m, err := r.stream.Recv()
	if err != nil {
		return brokenOff(err)
	}
	switch part := m.GetPart().(type) {
	case *apiv1.SubmitJobRequest_Chunk:
		if len(part.Chunk) > maxChunk {
			return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "a chunk has %d bytes; the most is %d", len(part.Chunk), maxChunk)
		}
		r.rest, r.total = part.Chunk, r.total+uint64(len(part.Chunk))
	case *apiv1.SubmitJobRequest_End:
		if size := part.End.GetSize(); size != r.total {
			return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "%d bytes arrived of a document of %d", r.total, size)
		}
		r.ended = true
	default:
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "a submission has a header, chunks and an end, in this order")
	}
	return nil
}

func brokenOff(err error) error {
	if errors.Is(err, io.EOF) {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "the submission broke off before its end; nothing was queued")
	}
	return spoolerr.As(err, spoolerr.Cancelled, "the submission broke off; nothing was queued")
}

type listJobsStream = grpc.ServerStreamingServer[apiv1.ListJobsResponse]

func (s *jobsServer) ListJobs(r *apiv1.ListJobsRequest, stream listJobsStream) error {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return err
	}
	if r.GetPrinter() != "" {
		if _, err := sp.Printer(r.GetPrinter()); err != nil {
			return err
		}
	}
	c := callerOf(stream.Context())
	show := func(j *job.Job) bool {
		return c.MayHandle(j) && (r.GetPrinter() == "" || spool.Fold(j.Printer) == spool.Fold(r.GetPrinter()))
	}
	out := &jobPages{spooler: sp, stream: stream, show: show, heard: s.heard}
	active := s.withAway(stream.Context(), sp, sp.Queue().Active(r.GetPrinter()), r.GetAll())
	if r.GetAll() {
		if active, err = s.finished(stream.Context(), sp.Queue(), active, out); err != nil {
			return err
		}
	}
	for _, j := range active {
		if err := out.add(j); err != nil {
			return err
		}
	}
	return out.flush()
}

// withAway adds the jobs that print on other hosts, in their place by id. A list of all has
// them among those that are finished here.
func (s *jobsServer) withAway(ctx context.Context, sp *spooler.Spooler, active []*job.Job, all bool) []*job.Job {
	if all {
		return active
	}
	list := append(active, s.away(ctx, sp)...)
	slices.SortFunc(list, func(a, b *job.Job) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(list, func(a, b *job.Job) bool { return a.ID == b.ID })
}

// finished sends the finished jobs, and between them the active ones of lower ids, so
// that the whole list is in order. It gives the active ones that are left. A job that
// finished while the list was made is shown once.
func (s *jobsServer) finished(ctx context.Context, q *job.Queue, active []*job.Job, out *jobPages) ([]*job.Job, error) {
	for j, err := range q.Finished(ctx, 0) {
		if errors.Is(err, spoolerr.Corrupt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for len(active) > 0 && active[0].ID <= j.ID {
			if active[0].ID < j.ID {
				err = out.add(active[0])
			}
			active = active[1:]
			if err != nil {
				return nil, err
			}
		}
		if err := out.add(j); err != nil {
			return nil, err
		}
	}
	return active, nil
}

// jobPages sends jobs in messages of a bounded number.
type jobPages struct {
	spooler *spooler.Spooler
	stream  listJobsStream
	show    func(*job.Job) bool
	heard   func(*job.Job) *job.Job
	page    []*apiv1.Job
}

func (p *jobPages) add(j *job.Job) error {
	const most = 256
	if !p.show(j) {
		return nil
	}
	p.page = append(p.page, jobToProto(p.spooler, p.heard(j)))
	if len(p.page) < most {
		return nil
	}
	return p.flush()
}

func (p *jobPages) flush() error {
	if len(p.page) == 0 {
		return nil
	}
	page := p.page
	p.page = nil
	return p.stream.Send(&apiv1.ListJobsResponse{Jobs: page})
}

// find gives a job that the caller may handle.
func (s *jobsServer) find(ctx context.Context, spoolerName string, id uint64) (*spooler.Spooler, *job.Job, error) {
	return s.submitted(ctx, spoolerName, id, "")
}

// submitted is find for a caller that may have no name here, but the key under which it
// submitted the job.
func (s *jobsServer) submitted(ctx context.Context, spoolerName string, id uint64, key string) (*spooler.Spooler, *job.Job, error) {
	sp, err := s.spooler(spoolerName)
	if err != nil {
		return nil, nil, err
	}
	c := callerOf(ctx)
	if key, err = submissionKey(c, key); err != nil {
		return nil, nil, err
	}
	var j *job.Job
	if id == 0 && key != "" {
		j, err = sp.Queue().Submitted(ctx, key)
	} else {
		j, err = sp.Queue().Get(ctx, id)
	}
	switch {
	case err != nil:
		return nil, nil, err
	case j == nil:
		return nil, nil, spoolerr.New(spoolerr.NotFound, 0, "no job was submitted with this idempotency key")
	case !c.MayHandle(j) && (key == "" || key != j.Submission):
		return nil, nil, spoolerr.New(spoolerr.Denied, 0, "job %d belongs to somebody else; its owner or an operator may see and change it", j.ID)
	}
	return sp, j, nil
}

func (s *jobsServer) GetJob(ctx context.Context, r *apiv1.GetJobRequest) (*apiv1.GetJobResponse, error) {
	sp, j, err := s.submitted(ctx, r.GetSpooler(), r.GetId(), r.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	return &apiv1.GetJobResponse{Job: s.ask(ctx, sp, j)}, nil
}

func (s *jobsServer) WatchJob(r *apiv1.WatchJobRequest, stream grpc.ServerStreamingServer[apiv1.WatchJobResponse]) error {
	ctx := stream.Context()
	sp, j, err := s.find(ctx, r.GetSpooler(), r.GetId())
	if err != nil {
		return err
	}
	changed, stop := sp.Queue().Watch(j.ID)
	defer stop()
	progress := time.NewTicker(500 * time.Millisecond)
	defer progress.Stop()
	var sentRevision uint64
	var sentBytes int64
	for {
		if j, err = sp.Queue().Get(ctx, r.GetId()); err != nil {
			return err
		}
		var bytes int64
		if a := j.Current(); a != nil {
			bytes = a.BytesSent
		}
		if j.Revision != sentRevision || bytes != sentBytes {
			sentRevision, sentBytes = j.Revision, bytes
			if err := stream.Send(&apiv1.WatchJobResponse{Job: jobToProto(sp, j)}); err != nil {
				return err
			}
		}
		if j.State == job.Printed && len(j.Forwarded) > 0 && s.cfg.Connections != nil {
			return s.follow(ctx, sp, j, func(p *apiv1.Job) error { return stream.Send(&apiv1.WatchJobResponse{Job: p}) })
		}
		if j.State.Final() {
			return nil
		}
		select {
		case <-changed:
		case <-progress.C:
		case <-ctx.Done():
			return cutOff(ctx)
		}
	}
}

// cutOff is how a stream without end of its own ends when its client leaves, which nobody
// hears, or when the host stops.
func cutOff(ctx context.Context) error {
	return spoolerr.As(ctx.Err(), spoolerr.Unavailable, "the host is stopping; ask again when it is back")
}

// act checks the caller's right, changes the job, and gives it as it is then.
func (s *jobsServer) act(ctx context.Context, spoolerName string, id uint64, change func(sp *spooler.Spooler, by string) error) (*apiv1.Job, error) {
	sp, _, err := s.find(ctx, spoolerName, id)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, sp, id, change)
}

// change is act for a caller who may.
func (s *jobsServer) change(ctx context.Context, sp *spooler.Spooler, id uint64, change func(sp *spooler.Spooler, by string) error) (*apiv1.Job, error) {
	if err := change(sp, callerOf(ctx).Name); err != nil {
		return nil, err
	}
	j, err := sp.Queue().Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return jobToProto(sp, s.heard(j)), nil
}

func (s *jobsServer) CancelJob(ctx context.Context, r *apiv1.CancelJobRequest) (*apiv1.CancelJobResponse, error) {
	sp, j, err := s.submitted(ctx, r.GetSpooler(), r.GetId(), r.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	p, err := s.change(ctx, sp, j.ID, func(sp *spooler.Spooler, by string) error { return sp.CancelJob(ctx, j.ID, by) })
	return &apiv1.CancelJobResponse{Job: p}, err
}

// submissionKey makes of a caller's key one that no other caller has.
func submissionKey(c caller, key string) (string, error) {
	return spooler.SubmissionKey(fmt.Sprint(c.UID, c.Account), key)
}

func (s *jobsServer) HoldJob(ctx context.Context, r *apiv1.HoldJobRequest) (*apiv1.HoldJobResponse, error) {
	j, err := s.act(ctx, r.GetSpooler(), r.GetId(), func(sp *spooler.Spooler, by string) error { return sp.HoldJob(ctx, r.GetId(), by) })
	return &apiv1.HoldJobResponse{Job: j}, err
}

func (s *jobsServer) ReleaseJob(ctx context.Context, r *apiv1.ReleaseJobRequest) (*apiv1.ReleaseJobResponse, error) {
	j, err := s.act(ctx, r.GetSpooler(), r.GetId(), func(sp *spooler.Spooler, by string) error { return sp.ReleaseJob(ctx, r.GetId(), by) })
	return &apiv1.ReleaseJobResponse{Job: j}, err
}

func (s *jobsServer) RestartJob(ctx context.Context, r *apiv1.RestartJobRequest) (*apiv1.RestartJobResponse, error) {
	j, err := s.act(ctx, r.GetSpooler(), r.GetId(), func(sp *spooler.Spooler, by string) error { return sp.RestartJob(ctx, r.GetId(), by) })
	return &apiv1.RestartJobResponse{Job: j}, err
}

func (s *jobsServer) MoveJob(ctx context.Context, r *apiv1.MoveJobRequest) (*apiv1.MoveJobResponse, error) {
	j, err := s.act(ctx, r.GetSpooler(), r.GetId(), func(sp *spooler.Spooler, by string) error {
		return sp.MoveJob(ctx, r.GetId(), r.GetPrinter(), by)
	})
	return &apiv1.MoveJobResponse{Job: j}, err
}
