package ipp

import (
	"slices"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func (s *Server) getJobAttributes(r *request) (*reply, error) {
	w, err := wantedJob(r, "all")
	if err != nil {
		return nil, err
	}
	return group(goipp.TagJobGroup, s.showJob(r, r.job, w, &ranks{})), nil
}

// whichJobs are the values of which-jobs.
func whichJobs() []string {
	return []string{
		"not-completed", "completed", "all", "aborted", "canceled", "pending", "pending-held", "processing", "processing-stopped", "proof-print", "saved",
	}
}

// selection is what Get-Jobs asks for.
type selection struct {
	which        string
	mine         bool
	limit, first int
	ids          []int
}

func readSelection(r *request) (sel selection, err error) {
	op := r.msg.Operation
	var has bool
	if sel.which, has, err = attr.ReadText(op, "which-jobs"); err == nil && !has {
		sel.which = "not-completed"
	}
	if err == nil {
		sel.mine, _, err = attr.ReadBool(op, "my-jobs")
	}
	if err == nil {
		sel.limit, _, err = attr.ReadInt(op, "limit")
	}
	if err == nil {
		sel.first, _, err = attr.ReadInt(op, "first-index")
	}
	if a, ok := attr.Find(op, "job-ids"); ok && err == nil {
		for _, v := range a.Values {
			n, is := v.V.(goipp.Integer)
			if !is {
				return sel, &attr.SyntaxError{Name: "job-ids", Want: "integers"}
			}
			sel.ids = append(sel.ids, int(n))
		}
	}
	if err == nil && !slices.Contains(whichJobs(), sel.which) {
		f := fail(goipp.StatusErrorAttributesOrValues, "which-jobs %q is not supported", sel.which)
		f.unsupported = goipp.Attributes{attr.Keyword("which-jobs", sel.which)}
		return sel, f
	}
	return sel, err
}

func (s *Server) getJobs(r *request) (*reply, error) {
	sel, err := readSelection(r)
	if err != nil {
		return nil, err
	}
	w, err := wantedJob(r, "job-uri", "job-id")
	if err != nil {
		return nil, err
	}
	jobs, err := s.selectJobs(r, sel)
	if err != nil {
		return nil, err
	}
	shared := &ranks{}
	out := ok()
	out.more = func(yield func(goipp.Group) bool) {
		for _, j := range jobs {
			if !yield(goipp.Group{Tag: goipp.TagJobGroup, Attrs: s.showJob(r, j, w, shared)}) {
				return
			}
		}
	}
	return out, nil
}

// selectJobs gives the page of jobs that is asked for: those that are not finished in
// order of printing, and finished ones with the latest first.
func (s *Server) selectJobs(r *request, sel selection) ([]*job.Job, error) {
	var jobs []*job.Job
	keep := func(j *job.Job) {
		if s.selected(r, j, sel) {
			jobs = append(jobs, j)
		}
	}
	for _, j := range inOrder(r.spooler.Queue().Active(r.printer.Name)) {
		keep(j)
	}
	if finished(sel) {
		active := len(jobs)
		for j, err := range r.spooler.Queue().Finished(r.ctx, 0) {
			if err != nil && spoolerr.KindOf(err) != spoolerr.Corrupt {
				return nil, err
			}
			if err == nil {
				keep(j)
			}
		}
		slices.Reverse(jobs[active:])
	}
	if sel.first > 1 {
		jobs = jobs[min(sel.first-1, len(jobs)):]
	}
	if sel.limit > 0 {
		jobs = jobs[:min(sel.limit, len(jobs))]
	}
	return jobs, nil
}

// finished says whether jobs may be meant that have finished.
func finished(sel selection) bool {
	switch sel.which {
	case "completed", "all", "aborted", "canceled":
		return true
	}
	return len(sel.ids) > 0
}

func (s *Server) selected(r *request, j *job.Job, sel selection) bool {
	switch {
	case r.printer.Name != "" && spool.Fold(j.Printer) != spool.Fold(r.printer.Name),
		sel.mine && !r.mine(j):
		return false
	case len(sel.ids) > 0:
		return slices.Contains(sel.ids, int(j.ID))
	}
	p, _ := r.spooler.Printer(j.Printer)
	state, _ := jobState(j, p, s.cfg.Now())
	switch sel.which {
	case "all":
		return true
	case "completed":
		return j.State.Final()
	case "not-completed":
		return !j.State.Final()
	case "aborted":
		return state == jobAborted
	case "canceled":
		return state == jobCanceled
	case "pending":
		return state == jobPending
	case "pending-held":
		return state == jobHeld
	case "processing":
		return state == jobProcessing
	}
	return false
}

// cancelJob cancels the job that is named; without one, the current job of the printer,
// as CUPS does.
func (s *Server) cancelJob(r *request) (*reply, error) {
	if r.job == nil {
		if r.target.printer == "" {
			return nil, fail(goipp.StatusErrorBadRequest, "Cancel-Job needs job-id, or job-uri")
		}
		return s.cancelCurrentJob(r)
	}
	return ok(), r.spooler.CancelJob(r.ctx, r.job.ID, r.user)
}

func (s *Server) holdJob(r *request) (*reply, error) {
	until, has, err := attr.ReadText(r.msg.Operation, "job-hold-until")
	if err != nil {
		return nil, err
	}
	if has && until != "indefinite" {
		hold, notBefore, known := holdUntil(until, s.cfg.Now())
		if !known {
			return nil, fail(goipp.StatusErrorAttributesOrValues, "job-hold-until %q is not supported", until)
		}
		return ok(), r.spooler.EditJob(r.ctx, r.job.ID, job.Edit{Hold: &hold, NotBefore: &notBefore}, r.user)
	}
	return ok(), r.spooler.HoldJob(r.ctx, r.job.ID, r.user)
}

func (s *Server) releaseJob(r *request) (*reply, error) {
	if r.job.State == job.Queued && r.job.Opens(s.cfg.Now()) > 0 {
		now := s.cfg.Now()
		return ok(), r.spooler.EditJob(r.ctx, r.job.ID, job.Edit{NotBefore: &now}, r.user)
	}
	return ok(), r.spooler.ReleaseJob(r.ctx, r.job.ID, r.user)
}

func (s *Server) restartJob(r *request) (*reply, error) {
	if !r.job.State.Final() && r.job.State != job.Held {
		return nil, fail(goipp.StatusErrorNotPossible, "job %d is %s; only a job that has ended or is held can be restarted", r.job.ID, r.job.State)
	}
	if err := r.spooler.RestartJob(r.ctx, r.job.ID, r.user); err != nil {
		return nil, err
	}
	if until, has, _ := attr.ReadText(r.msg.Operation, "job-hold-until"); has {
		if hold, notBefore, known := holdUntil(until, s.cfg.Now()); known {
			return ok(), r.spooler.EditJob(r.ctx, r.job.ID, job.Edit{Hold: &hold, NotBefore: &notBefore}, r.user)
		}
	}
	return ok(), nil
}

// resubmitJob makes a new job of the documents of another.
func (s *Server) resubmitJob(r *request) (*reply, error) {
	if r.printer.Name == "" {
		return nil, fail(goipp.StatusErrorNotPossible, "the printer of job %d is gone", r.job.ID)
	}
	for _, a := range attr.Decode(r.job.Ticket) { // what the job has, unless the request has another
		if !attr.Has(r.msg.Job, a.Name) {
			r.msg.Job = append(r.msg.Job, a)
		}
	}
	sub, t, err := s.submission(r)
	if err != nil {
		return nil, err
	}
	if _, named, _ := attr.ReadText(r.msg.Operation, "job-name"); !named {
		sub.Title = r.job.Title
	}
	if r.job, err = r.spooler.Resubmit(r.ctx, r.job, sub); err != nil {
		return nil, err
	}
	out := s.jobReply(r)
	t.report(out)
	return out, nil
}

// setJobAttributes changes a job that has not begun to print.
func (s *Server) setJobAttributes(r *request) (*reply, error) {
	var e job.Edit
	wishes := slices.Clone(r.msg.Job)
	if name, has, err := attr.ReadText(wishes, "job-name"); err != nil {
		return nil, err
	} else if has {
		name = printable(name)
		e.Title = &name
		wishes = attr.Delete(wishes, "job-name")
	}
	t, err := s.weigh(r, wishes)
	if err != nil {
		return nil, err
	}
	if len(t.unsupported) > 0 {
		f := fail(goipp.StatusErrorAttributesOrValues, "not everything that is asked for can be set")
		f.unsupported = t.unsupported
		return nil, f
	}
	kept := attr.Decode(r.job.Ticket)
	for _, a := range t.kept {
		kept = attr.Put(kept, a)
	}
	if e.Ticket, err = attr.Encode(goipp.TagJobGroup, kept); err != nil {
		return nil, err
	}
	if attr.Has(wishes, "copies") {
		e.Copies = &t.copies
	}
	if attr.Has(wishes, "job-priority") {
		e.Priority = &t.priority
	}
	if attr.Has(wishes, "job-hold-until") || attr.Has(wishes, "job-hold-until-time") {
		e.Hold, e.NotBefore = &t.hold, &t.notBefore
	}
	return ok(), r.spooler.EditJob(r.ctx, r.job.ID, e, r.user)
}

// cancelSome cancels the unfinished jobs that may be cancelled.
func (s *Server) cancelSome(r *request, which func(*job.Job) bool) (*reply, error) {
	sel, err := readSelection(r)
	if err != nil {
		return nil, err
	}
	jobs, err := r.spooler.Unfinished(r.ctx, r.printer.Name)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if !which(j) || len(sel.ids) > 0 && !slices.Contains(sel.ids, int(j.ID)) {
			continue
		}
		err := r.spooler.CancelJob(r.ctx, j.ID, r.user)
		if err != nil && spoolerr.KindOf(err) != spoolerr.Precondition && spoolerr.KindOf(err) != spoolerr.NotFound {
			return nil, err
		}
	}
	return ok(), nil
}

func (s *Server) cancelJobs(r *request) (*reply, error) {
	return s.cancelSome(r, func(*job.Job) bool { return true })
}

func (s *Server) cancelMyJobs(r *request) (*reply, error) {
	return s.cancelSome(r, func(j *job.Job) bool { return r.mine(j) && r.mayHandle(j) })
}

// currentJob gives the job that the printer prints now.
func currentJob(r *request) (*job.Job, error) {
	for _, j := range r.spooler.Queue().Active(r.printer.Name) {
		if j.State == job.Printing {
			return j, nil
		}
	}
	return nil, fail(goipp.StatusErrorNotPossible, "printer %s prints nothing now", spool.Quote(r.printer.Name))
}

func (s *Server) cancelCurrentJob(r *request) (*reply, error) {
	j, err := currentJob(r)
	if err != nil {
		return nil, err
	}
	if !r.mayHandle(j) {
		return nil, fail(goipp.StatusErrorNotAuthorized, "job %d belongs to somebody else", j.ID)
	}
	return ok(), r.spooler.CancelJob(r.ctx, j.ID, r.user)
}

func (s *Server) suspendCurrentJob(r *request) (*reply, error) {
	j, err := currentJob(r)
	if err != nil {
		return nil, err
	}
	return ok(), r.spooler.HoldJob(r.ctx, j.ID, r.user)
}

func (s *Server) promoteJob(r *request) (*reply, error) {
	return ok(), r.spooler.PromoteJob(r.ctx, r.job.ID, r.user)
}

func (s *Server) scheduleJobAfter(r *request) (*reply, error) {
	id, has, err := attr.ReadInt(r.msg.Operation, "predecessor-job-id")
	if err != nil || !has {
		return ok(), cmpErr(err, func() error { return r.spooler.PromoteJob(r.ctx, r.job.ID, r.user) })
	}
	return ok(), r.spooler.ScheduleJobAfter(r.ctx, r.job.ID, uint64(max(id, 0)), r.user)
}

func cmpErr(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}
