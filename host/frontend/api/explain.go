package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Explain gathers what the event log knows of an object, says how it stands, and what to
// do next.
func (s *hostServer) Explain(ctx context.Context, r *apiv1.ExplainRequest) (*apiv1.ExplainResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	var resp *apiv1.ExplainResponse
	name := r.GetName()
	switch r.GetKind() {
	case eventlog.Job:
		resp, err = s.explainJob(ctx, sp, name)
	case eventlog.Printer:
		resp, err = s.explainPrinter(sp, name)
	case eventlog.Port:
		resp, err = explainPort(sp, name)
	case eventlog.Monitor:
		resp, err = s.explainMonitor(sp, name)
	case eventlog.Spooler:
		resp = s.explainSpooler(sp)
	default:
		err = spoolerr.New(spoolerr.Invalid, 0, "%s cannot be explained; ask for a job, printer, port, monitor or spooler", spool.Quote(r.GetKind()))
	}
	if err != nil {
		return nil, err
	}
	return resp, s.tellStory(ctx, sp, r, resp)
}

// tellStory adds what happened to an object.
func (s *hostServer) tellStory(ctx context.Context, sp *spooler.Spooler, r *apiv1.ExplainRequest, resp *apiv1.ExplainResponse) error {
	const most = 200
	c := s.newChronicle(&apiv1.ListEventsRequest{Spooler: sp.Name(), Object: r.GetKind(), ObjectName: r.GetName(), Limit: most})
	var err error
	if s.cfg.Cluster == nil || sp.Name() == spooler.NodeName {
		err = s.listEvents(ctx, c.request, 0, c.keep)
	} else {
		err = c.gather(ctx)
	}
	for _, e := range c.sorted() {
		if e.GetSeverity() == eventlog.Info.String() && e.GetObject() != r.GetKind() {
			continue // of its neighbours only what went wrong matters
		}
		if e.GetObject() == eventlog.Job && !mayRead(ctx, sp, e.GetObjectName()) {
			continue
		}
		resp.Events = append(resp.Events, &apiv1.ExplainEvent{Time: e.GetTime(), Text: e.GetText(), Node: e.GetNode()})
	}
	resp.Unasked = c.missing()
	return err
}

// mayRead says whether the caller may see the events of a job, which tell its title.
func mayRead(ctx context.Context, sp *spooler.Spooler, number string) bool {
	c := callerOf(ctx)
	if c.Role >= access.Operator {
		return true
	}
	id, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return false
	}
	j, err := sp.Queue().Get(ctx, id)
	return err == nil && c.MayHandle(j)
}

func (s *hostServer) explainJob(ctx context.Context, sp *spooler.Spooler, name string) (*apiv1.ExplainResponse, error) {
	id, err := strconv.ParseUint(name, 10, 64)
	if err != nil {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "%s is not a job number", spool.Quote(name))
	}
	_, j, err := (&jobsServer{Server: s.Server}).find(ctx, sp.Name(), id)
	if err != nil {
		return nil, err
	}
	resp := &apiv1.ExplainResponse{Summary: fmt.Sprintf("Job %d (%s, %d bytes, from %s) is %s%s.",
		j.ID, spool.Quote(j.Title), j.Size(), j.User, j.State, reasonOf(j))}
	switch j.State {
	case job.Incoming:
		resp.Advice = append(resp.Advice, fmt.Sprintf("It prints when its submitter says that all documents are there. To give it up: spoolhost job cancel %d.", j.ID))
	case job.Queued:
		s.explainWaiting(sp, j, resp)
	case job.Held:
		resp.Advice = append(resp.Advice, fmt.Sprintf("Print it with: spoolhost job release %d. Give it up with: spoolhost job cancel %d.", j.ID, j.ID))
	case job.Printing:
		s.explainPrinting(sp, j, resp)
	case job.Failed:
		resp.Advice = append(resp.Advice, "Submit the document again.")
	case job.Cancelled:
		if spooler.BrokeOff(j) {
			resp.Advice = append(resp.Advice, "Submit the document again; what came of it may be on paper.")
		}
	}
	for _, f := range s.ask(ctx, sp, j).GetForwarded() {
		explainForwarded(f, resp)
	}
	if j.MayHavePrinted {
		resp.Advice = append(resp.Advice, "An earlier attempt may have put the whole document on paper: look at the printer before you print it again.")
	}
	return resp, nil
}

// explainForwarded says how a document stands that went to the printer of a connection.
func explainForwarded(f *apiv1.ForwardedJob, resp *apiv1.ExplainResponse) {
	what := "A document of it was sent to " + f.GetPrinter()
	if f.GetId() != 0 {
		what = fmt.Sprintf("It is job %d of %s", f.GetId(), f.GetPrinter())
	}
	if there := f.GetJob(); there != nil {
		what += fmt.Sprintf(", which is %s there%s", there.GetState(), reasonOf(&job.Job{Reason: there.GetReason()}))
	}
	resp.Summary += " " + what + "."
	if f.GetProblem() != "" {
		resp.Advice = append(resp.Advice, f.GetPrinter()+": "+f.GetProblem()+".")
	}
}

func reasonOf(j *job.Job) string {
	if j.Reason == "" {
		return ""
	}
	return " (" + j.Reason + ")"
}

// explainWaiting says why a queued job does not print.
func (s *hostServer) explainWaiting(sp *spooler.Spooler, j *job.Job, resp *apiv1.ExplainResponse) {
	p, err := sp.Printer(j.Printer)
	if err != nil {
		resp.Advice = append(resp.Advice, fmt.Sprintf("Its printer is gone; move it: spoolhost job move %d --printer NAME.", j.ID))
		return
	}
	quoted := spool.Quote(p.Name)
	switch p.State {
	case "paused":
		resp.Summary += fmt.Sprintf(" Printer %s is paused.", quoted)
		resp.Advice = append(resp.Advice, fmt.Sprintf("Let the printer go on with: spoolhost printer resume %s.", quoted))
	case "starting":
		resp.Summary += fmt.Sprintf(" Printer %s is %s.", quoted, p.Reason)
	case "offline", "missing":
		resp.Summary += fmt.Sprintf(" Printer %s is %s", quoted, p.State)
		if !strings.Contains(p.Reason, j.Reason) || j.Reason == "" { // else the job's own reason has said it
			resp.Summary += ": " + p.Reason
		}
		resp.Summary += "."
		resp.Advice = append(resp.Advice, fmt.Sprintf("See to the device or its port; the job prints by itself when it works again. "+
			"Or move it: spoolhost job move %d --printer NAME.", j.ID))
	case "printing":
		resp.Summary += fmt.Sprintf(" Printer %s is printing; %d jobs are ahead of it.", quoted, ahead(sp, j))
	}
	if j.StartTime != j.UntilTime {
		resp.Summary += fmt.Sprintf(" It prints only between %s and %s UTC.", clock(j.StartTime), clock(j.UntilTime))
	}
	if p.StartTime != p.UntilTime {
		resp.Summary += fmt.Sprintf(" The printer prints only between %s and %s UTC.", clock(p.StartTime), clock(p.UntilTime))
	}
	if strings.Contains(sp.WhyWaiting(j), "prints only") {
		resp.Advice = append(resp.Advice, fmt.Sprintf("It prints by itself when the hours begin. To have it sooner, move it to a printer "+
			"without hours: spoolhost job move %d --printer NAME.", j.ID))
	}
}

// ahead counts the jobs that will print before j.
func ahead(sp *spooler.Spooler, j *job.Job) int {
	n := 0
	for _, other := range sp.Queue().Active(j.Printer) {
		if other.ID != j.ID && other.State != job.Held && (other.Priority > j.Priority || other.Priority == j.Priority && other.ID < j.ID) {
			n++
		}
	}
	return n
}

func (s *hostServer) explainPrinting(sp *spooler.Spooler, j *job.Job, resp *apiv1.ExplainResponse) {
	a := j.Current()
	if a == nil {
		return
	}
	of := fmt.Sprintf("%d bytes", j.Document.Size)
	if j.Spooling {
		of = fmt.Sprintf("the %d bytes that have come so far", j.Document.Size)
	}
	resp.Summary += fmt.Sprintf(" Attempt %d has sent %d of %s to port %s.", a.Number, a.BytesSent, of, spool.Quote(a.Port))
	if p, err := sp.Port(a.Port); err == nil && p.Status != "" {
		resp.Summary += fmt.Sprintf(" The port says: %s.", p.Status)
	}
}

func clock(minutes uint32) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

func (s *hostServer) explainPrinter(sp *spooler.Spooler, name string) (*apiv1.ExplainResponse, error) {
	p, err := sp.Printer(name)
	if err != nil {
		return nil, err
	}
	resp := &apiv1.ExplainResponse{Summary: fmt.Sprintf("Printer %s (ports %s) is %s%s; unfinished jobs: %d.",
		spool.Quote(p.Name), strings.Join(p.Ports, ", "), p.State, bracket(p.Reason), p.Jobs)}
	if p.Paused {
		resp.Advice = append(resp.Advice, fmt.Sprintf("Let it go on with: spoolhost printer resume %s.", spool.Quote(p.Name)))
	}
	if p.State == "missing" || p.State == "offline" {
		resp.Advice = append(resp.Advice, fmt.Sprintf("See what its port says: spoolhost why port %s. Jobs are kept and print when it works again; it is tried again by itself%s.", spool.Quote(p.Ports[0]), when(p.Retry)))
	}
	resp.Advice = append(resp.Advice, s.storageAdvice(sp)...)
	return resp, nil
}

func explainPort(sp *spooler.Spooler, name string) (*apiv1.ExplainResponse, error) {
	p, err := sp.Port(name)
	if err != nil {
		return nil, err
	}
	resp := &apiv1.ExplainResponse{Summary: fmt.Sprintf("Port %s (%s, monitor %s) is %s%s.",
		spool.Quote(p.Name), p.Description, spool.Quote(p.Monitor), p.State, bracket(p.Status))}
	switch p.State {
	case "waiting", "offline":
		resp.Advice = append(resp.Advice, "See to the device: power, cable, network address. The port is tried again by itself"+when(p.Retry)+".")
	case "missing":
		resp.Advice = append(resp.Advice, fmt.Sprintf("See what its monitor does: spoolhost why monitor %s.", spool.Quote(p.Monitor)))
	}
	return resp, nil
}

func (s *hostServer) explainMonitor(sp *spooler.Spooler, name string) (*apiv1.ExplainResponse, error) {
	m, err := s.cfg.Catalog.Get(name)
	if err != nil {
		return nil, err
	}
	v, _ := sp.Monitor(m.Name)
	resp := &apiv1.ExplainResponse{Summary: fmt.Sprintf("Monitor %s (module %s) is %s%s; it was restarted %d times since the host started.",
		spool.Quote(m.Name), m.Path, v.State, bracket(v.Reason), v.Restarts)}
	if v.State == "quarantined" {
		resp.Advice = append(resp.Advice, fmt.Sprintf("It is not started again by itself. When the cause is gone: spoolhost monitor resume %s. "+
			"What its module said last: spoolhost monitor show %s.", spool.Quote(m.Name), spool.Quote(m.Name)))
	}
	if v.State == "backoff" {
		resp.Advice = append(resp.Advice, fmt.Sprintf("It is started again by itself; to try at once: spoolhost monitor restart %s. "+
			"If it keeps failing, ask its vendor, with the lines of: spoolhost monitor show %s.", spool.Quote(m.Name), spool.Quote(m.Name)))
	}
	if v.State == "running" && v.LastError != "" {
		resp.Summary += fmt.Sprintf(" Its last failure was at %s UTC: %s.", v.LastErrorAt.UTC().Format(time.DateTime), strings.TrimSuffix(v.LastError, "."))
		resp.Advice = append(resp.Advice, fmt.Sprintf("It was started again by itself, and documents followed the policy of their printers: nothing needs doing. "+
			"If it happens again and again, ask its vendor, with the lines of: spoolhost monitor show %s.", spool.Quote(m.Name)))
	}
	return resp, nil
}

// when says when something is tried again, if that is known.
func when(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " at " + at.UTC().Format(time.TimeOnly) + " UTC"
}

func bracket(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
