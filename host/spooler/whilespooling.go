package spooler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// When a printer begins with a document (Windows: PRINTER_ATTRIBUTE_QUEUED or not).
const (
	// AfterSpooling: when all of it is on disk.
	AfterSpooling = "after-spooling"
	// WhileSpooling: while it is still being received, if it is longer than
	// document.MaxInline, nothing is printed before it, and its port can.
	WhileSpooling = "while-spooling"
)

// reception is a document that may print while it is being received. Its job has a record
// from its first long part on, but is accepted only when the document is durable; until
// then the port gets all bytes but the last that has come. If the submission breaks off the
// attempt ends, and the job is cancelled. It belongs to the goroutine of Submit.
type reception struct {
	spooler *Spooler
	job     job.Job // what is recorded; with an id if it was created before
	id      uint64  // 0 as long as nothing is
	known   *job.Job
	doc     *document.Growing
	body    io.Reader
	silence *time.Timer // ends a submission that sends nothing while its job prints

	once  sync.Once
	ended chan struct{} // closed when the job has ended, whatever else comes
	way   sync.Once
	taken chan struct{} // closed when the port has taken the first part, or will not
}

func (s *Spooler) newReception(j job.Job) *reception {
	return &reception{spooler: s, job: j, ended: make(chan struct{}), taken: make(chan struct{})}
}

// receiveEarly gives the reception of a submission, or nil if its document prints when it is
// whole.
func (s *Spooler) receiveEarly(next job.Job, r record) *reception {
	if r.StartPrinting != WhileSpooling || s.intake || next.State != "" {
		return nil
	}
	return s.newReception(next)
}

// receiveLast is receiveEarly for the only document of a job that was created before.
func (s *Spooler) receiveLast(j *job.Job, last bool) *reception {
	s.mu.Lock()
	pr := s.lookup(j.Printer)
	early := pr != nil && pr.StartPrinting == WhileSpooling && !s.intake
	s.mu.Unlock()
	if !early || !last || !j.MayPrintEarly() {
		return nil
	}
	return s.newReception(*j)
}

// record gives the job the document of which the first part has come.
func (r *reception) record(ctx context.Context, part job.Part) (j, known *job.Job, err error) {
	q := r.spooler.cfg.Queue
	if r.job.ID != 0 {
		j, err = q.AddSpooling(ctx, r.job.ID, part, r.doc)
		return j, nil, err
	}
	r.job.Documents = described(part)
	return q.AcceptSpooling(ctx, r.job, r.doc)
}

// began says that the job has got a record, or was found to have one.
func (r *reception) began() bool { return r != nil && (r.id != 0 || r.known != nil) }

// begin reads the first part of a document, and records the job if there is more. It gives
// what is still to be read.
func (r *reception) begin(ctx context.Context, w *document.Writer, part job.Part, body io.Reader) (rest io.Reader, err error) {
	if _, err := io.CopyN(w, body, document.MaxInline+1); err != nil {
		if errors.Is(err, io.EOF) {
			return body, nil // that was all
		}
		return nil, err
	}
	s := r.spooler
	r.doc, r.body = w.Follow(), body
	s.mu.Lock()
	s.receptions[r.doc.ID()] = r
	s.mu.Unlock()
	j, known, err := r.record(ctx, part)
	switch {
	case err != nil:
		s.forgetReception(r)
		return nil, err // the document goes with its writer
	case known != nil:
		r.known = known
		return nil, errKnown
	}
	r.id = j.ID
	r.silence = time.AfterFunc(s.cfg.Limits.Resource, r.silent)
	s.kick(j.Printer)
	r.yield(ctx)
	return r, nil
}

// yield leaves processor and disk to the first part while that is on its way to a port, but
// not for long: a submitter that sends as fast as it can would have them to itself.
func (r *reception) yield(ctx context.Context) {
	const most = 50 * time.Millisecond
	s := r.spooler
	s.mu.Lock()
	running := s.running[r.id] != nil
	s.mu.Unlock()
	if !running {
		return
	}
	limit := time.NewTimer(most)
	defer limit.Stop()
	select {
	case <-r.taken:
	case <-limit.C:
	case <-r.ended:
	case <-ctx.Done():
	}
}

// onItsWay ends the wait of yield.
func (r *reception) onItsWay() {
	if r != nil {
		r.way.Do(func() { close(r.taken) })
	}
}

// errKnown ends the reception of a document that a job has already.
var errKnown = errors.New("it was submitted before")

// Read implements io.Reader: the rest of the document, until the job ends.
func (r *reception) Read(p []byte) (int, error) {
	select {
	case <-r.ended:
		return 0, spoolerr.New(spoolerr.Cancelled, spoolerr.CodePrintCancelled,
			"job %d ended while its document was being received; see spoolhost why job %d", r.id, r.id)
	default:
	}
	n, err := r.body.Read(p)
	r.silence.Reset(r.spooler.cfg.Limits.Resource)
	return n, err
}

// silent ends the job if it holds a port for a submitter who sends nothing.
func (r *reception) silent() {
	s := r.spooler
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[r.id] == nil {
		r.silence.Reset(s.cfg.Limits.Resource) // it keeps nobody waiting
		return
	}
	s.goBackground(func(ctx context.Context) {
		r.breakOff(ctx, fmt.Errorf("its submitter sent nothing for %v while it printed", s.cfg.Limits.Resource))
	})
}

// finish accepts the job, or ends it if its document has not come whole.
func (r *reception) finish(ctx context.Context, part job.Part, failure error) (*job.Job, error) {
	s := r.spooler
	defer s.forgetReception(r)
	if r.known != nil {
		return r.known, nil
	}
	recording := time.Now()
	var j, known *job.Job
	if failure == nil {
		j, known, failure = s.cfg.Queue.Spooled(ctx, r.id, part.Ref)
	}
	if known != nil {
		r.breakOff(ctx, fmt.Errorf("the same document was accepted as job %d meanwhile", known.ID))
		return known, nil
	}
	if failure != nil {
		r.breakOff(ctx, failure)
		return nil, failure
	}
	r.doc.Finish()
	if r.job.ID != 0 {
		s.completed(ctx, j)
		return j, nil
	}
	s.accepted(j, part.Size, recording)
	return j, nil
}

const notWhole = "the document was not received whole: "

// BrokeOff says that a job has ended because its submission did.
func BrokeOff(j *job.Job) bool {
	return j.State.Final() && strings.HasPrefix(j.Reason, notWhole)
}

// breakOff ends the job and stops its attempt. If that cannot be recorded, the next life
// finds the record and ends it.
func (r *reception) breakOff(ctx context.Context, why error) {
	s := r.spooler
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.Call)
	defer cancel()
	reason := notWhole + why.Error()
	j, err := s.cfg.Queue.BreakOff(ctx, r.id, r.doc.Size(), reason)
	s.mu.Lock()
	s.stopAttempt(r.id, errors.New(reason))
	s.mu.Unlock()
	switch {
	case err != nil:
		s.cfg.Logger.Error("cannot record that a submission broke off", "job", r.id, "error", err)
	case j.State.Final():
		s.removeDocuments(ctx, j)
		s.announce(j, "")
		s.kick(j.Printer)
	}
}

func (s *Spooler) forgetReception(r *reception) {
	if r.silence != nil {
		r.silence.Stop()
	}
	if r.doc == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.receptions, r.doc.ID())
}

// cut ends the reception of a document that is no longer wanted.
func (s *Spooler) cut(documentID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.receptions[documentID]; r != nil {
		r.once.Do(func() { close(r.ended) })
	}
}

// growing opens the document of a job that is still being received; of one that has come
// meanwhile it gives the job as it is now.
func (a *attempt) growing(ctx context.Context) (*document.Document, error) {
	s := a.spooler
	s.mu.Lock()
	r := s.receptions[a.job.Document.ID]
	s.mu.Unlock()
	if r != nil {
		a.early = r
		return r.doc.Open(ctx)
	}
	j, err := s.cfg.Queue.Get(ctx, a.job.ID)
	if err != nil {
		return nil, err
	}
	if j.Spooling {
		return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeSpoolFileNotFound, "the document of job %d was not received whole", j.ID)
	}
	return s.cfg.Documents.Open(ctx, j.Document)
}

// tooEarly puts a job off whose port has to know how long the document is.
func (a *attempt) tooEarly(ctx context.Context) {
	a.spooler.cfg.Queue.Await(a.job.ID)
	a.offerElsewhere(ctx)
}

// endReceived ends the jobs whose documents an earlier life was receiving. Nobody was told
// that they had been accepted.
func (s *Spooler) endReceived(ctx context.Context) error {
	for _, j := range s.cfg.Queue.Active("") {
		if !j.Spooling {
			continue
		}
		after, err := s.cfg.Queue.BreakOff(ctx, j.ID, j.Document.Size,
			"the host ended before the document had come, and its submitter was not told that it was accepted: submit it again")
		if err != nil {
			return err
		}
		if after.State.Final() {
			s.removeDocuments(ctx, after)
			s.announce(after, "")
		}
	}
	return nil
}

// checkStart checks when a printer begins.
func (r record) checkStart() error {
	switch r.StartPrinting {
	case "", AfterSpooling, WhileSpooling:
		return nil
	}
	return spoolerr.New(spoolerr.Invalid, 0, "printer %s: start printing %s is unknown; use %s or %s",
		spool.Quote(r.Name), spool.Quote(r.StartPrinting), AfterSpooling, WhileSpooling)
}
