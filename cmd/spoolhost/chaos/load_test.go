//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

const (
	requestTime = 8 * time.Second
	// listTime is when an answer that has not come is one too few; the host gives up after 12 s.
	listTime = 40 * time.Second
	// mostWaiting bounds the jobs that are under way, so that the end comes soon.
	mostWaiting = 40
	// mostRequests bounds the requests for one job, so that its history can be judged.
	mostRequests = 14
)

// load is the clients.
type load struct {
	*world
	run string // begins all keys

	mu       sync.Mutex
	jobs     []*ticket
	waiting  int
	counts   map[string]int
	problems map[string]int
	answers  []listing // the first with printers, of each spooler
}

// ticket is a job as the clients have it.
type ticket struct {
	submitted
	number   int
	held     bool
	touched  bool // requests may change it
	requests int
	final    bool
	seen     time.Duration
	body     []byte
}

func newLoad(w *world, run string) *load {
	return &load{world: w, run: run, counts: make(map[string]int), problems: make(map[string]int)}
}

// start runs the clients until ctx ends; wait waits for them.
func (l *load) start(ctx context.Context) (wait func()) {
	var clients sync.WaitGroup
	for n := 1; n <= nodes; n++ {
		node := l.nodes[n]
		for c := range 2 {
			client := 10*n + c
			clients.Go(func() { l.submitter(ctx, client, n) })
			clients.Go(func() { l.asker(ctx, client+2, node) })
		}
		for _, name := range spoolerNames() {
			clients.Go(func() { l.lister(ctx, node, name) })
		}
	}
	return clients.Wait
}

func (l *load) submitter(ctx context.Context, client, node int) {
	for ctx.Err() == nil {
		t := l.draw()
		if t == nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		for at := node; ctx.Err() == nil && l.submit(client, l.nodes[at], t) != nil; at = 1 + at%nodes { // the next one
			pause(ctx, 100*time.Millisecond)
		}
		pause(ctx, time.Duration(rand.IntN(150))*time.Millisecond)
	}
}

// draw makes up a job, unless too many are under way.
func (l *load) draw() *ticket {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting >= mostWaiting {
		return nil
	}
	l.waiting++
	n := len(l.jobs) + 1
	name := spoolerNames()[rand.IntN(len(spoolerNames()))]
	printer := printerNames()[rand.IntN(len(printerNames()))]
	t := &ticket{number: n, touched: rand.IntN(4) == 0}
	t.held = t.touched && rand.IntN(3) == 0
	t.submitted = submitted{Spooler: name, Printer: printer, Key: fmt.Sprintf("%s-job-%012d", l.run, n)}
	t.body = paperOf(t.Key, length(printer))
	l.jobs = append(l.jobs, t)
	return t
}

// length draws the length of a document. At the slow printer some are long enough that an
// owner which does not end them in time still sends when the next one prints.
func length(printer string) int {
	size := 1 + rand.IntN(60_000)
	switch n := rand.IntN(16); {
	case n < 4:
		return 8 * size
	case n == 4 && printer == "slow":
		return 1<<21 + 8*size // five seconds
	}
	return size
}

// submit sends a job; if it fails, it may have been taken all the same.
func (l *load) submit(client int, node *machineNode, t *ticket) error {
	ctx, cancel := impatient()
	defer cancel()
	call := l.history.now()
	j, err := send(ctx, node, t)
	a := l.answerOf(node, "submit", err)
	if err == nil {
		a.ID, a.State, a.ByHost = j.GetId(), j.GetState(), byHost(j)
	}
	l.history.note(client, call, request{Op: "submit", Key: t.Key, Held: t.held}, a)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.ID, t.body = j.GetId(), nil
	l.saw(t, j.GetState())
	return nil
}

// impatient bounds a request, now and then so that its answer often comes too late: whether
// it was carried out is open then.
func impatient() (context.Context, context.CancelFunc) {
	limit := requestTime
	if rand.IntN(6) == 0 {
		limit = time.Duration(5+rand.IntN(60)) * time.Millisecond
	}
	return context.WithTimeout(context.Background(), limit)
}

func send(ctx context.Context, node *machineNode, t *ticket) (*apiv1.Job, error) {
	stream, err := node.SubmitJob(ctx)
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	_ = stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Header{Header: &apiv1.SubmitHeader{
		Spooler: t.Spooler, Printer: t.Printer, Title: t.Key, IdempotencyKey: t.Key, Hold: t.held,
	}}})
	for part := range slices.Chunk(t.body, 64<<10) {
		_ = stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: part}})
	}
	_ = stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: &apiv1.SubmitEnd{Size: uint64(len(t.body))}}})
	r, err := stream.CloseAndRecv()
	return r.GetJob(), spoolgrpc.FromStatus(err)
}

// saw notes that a client was told of a job's end; l.mu is held.
func (l *load) saw(t *ticket, state string) {
	if (state == "printed" || state == "cancelled") && !t.final {
		t.final, t.seen = true, l.history.now()
		l.waiting--
		l.counts[state]++
	}
}

// byHost says that a job is held for a reason of the host's.
func byHost(j *apiv1.Job) bool {
	return j.GetState() == "held" && !strings.HasPrefix(j.GetReason(), "held on request") &&
		!strings.HasPrefix(j.GetReason(), "held on submission") && !strings.HasPrefix(j.GetReason(), "held while it printed")
}

// answerOf judges an error: was it refused for certain, or may it have been done? Some
// errors nobody should get, whatever happens to the cluster.
func (l *load) answerOf(node *machineNode, op string, err error) answer {
	a := answer{Verdict: done, Node: node.number}
	if err == nil {
		return a
	}
	a.Verdict, a.Err = unknown, err.Error()
	switch spoolerr.KindOf(err) {
	case spoolerr.NotFound:
		a.Verdict = missing
	case spoolerr.Precondition:
		if spoolerr.CodeOf(err) == spoolerr.CodeInvalidPrinterState {
			a.Verdict = refused
			break
		}
		l.problem("%s through node %d: an answer that means nothing to a client: %v", op, node.number, err)
	case spoolerr.Unavailable, spoolerr.TimedOut, spoolerr.Cancelled, spoolerr.Exhausted, spoolerr.Busy, spoolerr.NoSpace:
	default:
		l.problem("%s through node %d: an error of kind %v: %v", op, node.number, spoolerr.KindOf(err), err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[op+" "+a.Verdict]++
	return a
}

func (l *load) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems[fmt.Sprintf(format, args...)]++
}

// asker asks for jobs, and changes some.
func (l *load) asker(ctx context.Context, client int, node *machineNode) {
	for ctx.Err() == nil {
		if t, op := l.pick(); t != nil {
			l.ask(client, node, t, op)
		}
		pause(ctx, time.Duration(20+rand.IntN(80))*time.Millisecond)
	}
}

// pick gives an acknowledged job that may be asked for.
func (l *load) pick() (t *ticket, op string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.jobs[max(0, len(l.jobs)-2*mostWaiting):]
	if len(list) == 0 {
		return nil, ""
	}
	t = list[rand.IntN(len(list))]
	if t.ID == 0 || t.requests >= mostRequests && t.final {
		return nil, ""
	}
	op = "get"
	if t.touched && t.requests < mostRequests && rand.IntN(2) == 0 {
		op = []string{"hold", "release", "release", "cancel"}[rand.IntN(4)]
		t.Cancelled = t.Cancelled || op == "cancel"
	}
	t.requests++
	return t, op
}

func (l *load) ask(client int, node *machineNode, t *ticket, op string) {
	ctx, cancel := impatient()
	defer cancel()
	call := l.history.now()
	var err error
	var j *apiv1.Job
	switch op {
	case "get":
		var r *apiv1.GetJobResponse
		r, err = node.GetJob(ctx, &apiv1.GetJobRequest{Spooler: t.Spooler, Id: t.ID})
		j = r.GetJob()
	case "hold":
		_, err = node.HoldJob(ctx, &apiv1.HoldJobRequest{Spooler: t.Spooler, Id: t.ID})
	case "release":
		_, err = node.ReleaseJob(ctx, &apiv1.ReleaseJobRequest{Spooler: t.Spooler, Id: t.ID})
	case "cancel":
		_, err = node.CancelJob(ctx, &apiv1.CancelJobRequest{Spooler: t.Spooler, Id: t.ID})
	}
	a := l.answerOf(node, op, spoolgrpc.FromStatus(err))
	a.State, a.ByHost = j.GetState(), byHost(j)
	l.history.note(client, call, request{Op: op, Key: t.Key}, a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if op == "get" && a.Verdict == done {
		l.saw(t, a.State)
	}
}

// lister asks a node for the printers of a spooler, and now and then for its jobs.
func (l *load) lister(ctx context.Context, node *machineNode, name string) {
	want := map[string][]string{name: printerNames()}
	kept := false
	for n := 1; ctx.Err() == nil; n++ {
		jobs := n%10 == 0
		list := l.list(node, name, jobs)
		if jobs {
			list.Printers = want[name]
		}
		for _, p := range checkLists(want, []listing{list}) {
			l.problem("%s", p)
		}
		l.mu.Lock()
		l.counts["lists"]++
		if list.Err == "" && !jobs && !kept {
			l.answers, kept = append(l.answers, list), true
		}
		if list.Err != "" {
			l.counts["lists refused"]++
		}
		l.mu.Unlock()
		pause(ctx, 100*time.Millisecond)
	}
}

func (l *load) list(node *machineNode, name string, jobs bool) (r listing) {
	ctx, cancel := context.WithTimeout(context.Background(), listTime)
	defer cancel()
	_, before := node.state()
	r = listing{Node: node.number, Spooler: name, At: l.history.now()}
	var err error
	if jobs {
		_, err = listJobs(ctx, node, name, false)
	} else {
		r.Printers, err = listPrinters(ctx, node, name)
	}
	_, after := node.state()
	r.Took = l.history.now() - r.At
	if err != nil {
		r.Err, r.Hung = err.Error(), ctx.Err() != nil && before == after
	}
	return r
}

func listPrinters(ctx context.Context, node *machineNode, name string) (names []string, err error) {
	stream, err := node.ListPrinters(ctx, &apiv1.ListPrintersRequest{Spooler: name})
	for err == nil {
		var r *apiv1.ListPrintersResponse
		r, err = stream.Recv()
		for _, p := range r.GetPrinters() {
			names = append(names, p.GetName())
		}
	}
	return names, ended(err)
}

func listJobs(ctx context.Context, node *machineNode, name string, all bool) (jobs []*apiv1.Job, err error) {
	stream, err := node.ListJobs(ctx, &apiv1.ListJobsRequest{Spooler: name, All: all})
	for err == nil {
		var r *apiv1.ListJobsResponse
		r, err = stream.Recv()
		jobs = append(jobs, r.GetJobs()...)
	}
	return jobs, ended(err)
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
