package ipp

import (
	"errors"
	"io"
	"slices"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/format"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// printJob takes a job and its document. The id goes out when both are durable.
func (s *Server) printJob(r *request) (*reply, error) {
	sub, t, err := s.submission(r)
	if err != nil {
		return nil, err
	}
	doc, err := s.documentOf(r)
	if err != nil {
		return nil, err
	}
	sub.Document = doc.info
	j, err := r.spooler.Submit(r.ctx, sub, doc.body)
	if err != nil {
		return nil, doc.explain(err)
	}
	r.job = j
	out := s.jobReply(r)
	t.report(out)
	return out, s.subscribeJob(r, out)
}

// validateJob checks everything that printJob would, but the document.
func (s *Server) validateJob(r *request) (*reply, error) {
	_, t, err := s.submission(r)
	if err != nil {
		return nil, err
	}
	if _, err := s.documentOf(r); err != nil {
		return nil, err
	}
	out := ok()
	t.report(out)
	return out, nil
}

// createJob takes a job whose documents come later.
func (s *Server) createJob(r *request) (*reply, error) {
	sub, t, err := s.submission(r)
	if err != nil {
		return nil, err
	}
	if r.job, err = r.spooler.Create(r.ctx, sub); err != nil {
		return nil, err
	}
	out := s.jobReply(r)
	t.report(out)
	return out, s.subscribeJob(r, out)
}

// sendDocument adds a document to a created job. One without data that is the last only
// closes the job.
func (s *Server) sendDocument(r *request) (*reply, error) {
	last, _, err := attr.ReadBool(r.msg.Operation, "last-document")
	if err != nil {
		return nil, err
	}
	doc, err := s.documentOf(r)
	if err != nil {
		return nil, err
	}
	first, empty := firstByte(doc.body)
	switch {
	case empty && last:
		return s.closeJob(r)
	case empty:
		return nil, fail(goipp.StatusErrorBadRequest, "the document of job %d is empty", r.job.ID)
	}
	if r.job, err = r.spooler.AddDocument(r.ctx, r.job.ID, doc.info, first, last); err != nil {
		return nil, doc.explain(err)
	}
	return s.jobReply(r), nil
}

// firstByte says whether a document has no data at all, and gives it back whole. What is
// wrong with it, its reader says again.
func firstByte(body io.Reader) (whole io.Reader, empty bool) {
	var one [1]byte
	_, err := io.ReadFull(body, one[:])
	switch {
	case errors.Is(err, io.EOF) && !errors.Is(err, format.ErrCompressed) && !errors.Is(err, errBrokenOff):
		return nil, true
	case err != nil:
		return broken{err}, false
	}
	return io.MultiReader(oneByte(one[0]), body), false
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func oneByte(b byte) io.Reader {
	return io.LimitReader(repeat(b), 1)
}

type repeat byte

func (b repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

func (s *Server) closeJob(r *request) (_ *reply, err error) {
	if r.job, err = r.spooler.CloseJob(r.ctx, r.job.ID); err != nil {
		return nil, err
	}
	return s.jobReply(r), nil
}

// submission reads what a request says of the job to be.
func (s *Server) submission(r *request) (spooler.Submission, *ticket, error) {
	var sub spooler.Submission
	if r.printer.Rejecting {
		return sub, nil, fail(goipp.StatusErrorNotAcceptingJobs, "printer %s accepts no jobs now", spool.Quote(r.printer.Name))
	}
	if err := s.mayPrint(r); err != nil {
		return sub, nil, err
	}
	t, err := s.readTicket(r)
	if err != nil {
		return sub, nil, err
	}
	title, has, err := attr.ReadText(r.msg.Operation, "job-name")
	if err == nil && !has {
		title, _, err = attr.ReadText(r.msg.Operation, "document-name")
	}
	if err != nil {
		return sub, nil, err
	}
	if title == "" {
		title = "Untitled"
	}
	packed, err := attr.Encode(goipp.TagJobGroup, t.kept)
	if err != nil {
		return sub, nil, fail(goipp.StatusErrorBadRequest, "the job's attributes cannot be kept: %v", err)
	}
	return spooler.Submission{
		Printer: r.printer.Name, Title: printable(title), User: r.user, UID: s.uid(r), Account: r.caller.Account, Origin: r.origin,
		Priority: t.priority, Hold: t.hold, NotBefore: t.notBefore, Copies: t.copies, Ticket: packed,
	}, t, nil
}

// mayPrint checks the printer's lists. One who has proved nothing may prove something.
func (s *Server) mayPrint(r *request) error {
	who := r.caller
	if !who.Known() {
		who.Name = r.user
	}
	if who.MayPrint(r.printer.Allow, r.printer.Deny) {
		return nil
	}
	status := goipp.StatusErrorNotAuthorized
	if !who.Known() {
		status = goipp.StatusErrorNotAuthenticated
	}
	return fail(status, "%s may not print to printer %s", r.user, spool.Quote(r.printer.Name))
}

// uid gives the user of this machine that a job is recorded under. An administrator, such
// as another spooler on this machine, submits in the name of others.
func (s *Server) uid(r *request) int64 {
	if r.caller.UID < 0 || r.caller.Role < access.Administrator || r.user == r.caller.Name {
		return r.caller.UID
	}
	return s.users.uid(r.user)
}

// incoming is a document as a request brings it.
type incoming struct {
	info spooler.DocumentInfo
	body io.Reader
	over *bounded
}

// documentOf reads what a request says of its document.
func (s *Server) documentOf(r *request) (incoming, error) {
	op := r.msg.Operation
	declared, has, err := attr.ReadText(op, "document-format")
	if err != nil {
		return incoming{}, err
	}
	if !has {
		declared = format.OctetStream
	}
	if !takes(r.printer, declared) {
		return incoming{}, notTaken(r.printer, declared, has)
	}
	compression, _, err := attr.ReadText(op, "compression")
	if err != nil {
		return incoming{}, err
	}
	body, known := format.Decompress(compression, r.document)
	if !known {
		f := fail(goipp.StatusErrorCompressionNotSupported, "compression %q is not supported; use none, gzip or deflate", compression)
		f.unsupported = goipp.Attributes{attr.Keyword("compression", compression)}
		return incoming{}, f
	}
	name, _, err := attr.ReadText(op, "document-name")
	if err != nil {
		return incoming{}, err
	}
	limit := &bounded{r: body, left: s.limits.Document, unlimited: s.limits.Document <= 0}
	info := spooler.DocumentInfo{Name: printable(name), Format: declared}
	if format.Same(declared, format.OctetStream) {
		info.Detect = func(head []byte) (string, error) { return detect(r.printer, head) }
	}
	return incoming{info: info, body: limit, over: limit}, nil
}

// detect finds out what a document is that its sender did not name.
func detect(p spooler.PrinterView, head []byte) (string, error) {
	if len(head) == 0 {
		return "", nil // the spooler says that it is empty
	}
	found := format.Detect(head)
	if !takes(p, found) {
		return "", notTaken(p, found, true)
	}
	return found, nil
}

// formats gives the media types that a printer takes.
func formats(p spooler.PrinterView) []string {
	if len(p.Formats) > 0 {
		return p.Formats
	}
	return format.Known()
}

func takes(p spooler.PrinterView, mime string) bool {
	return slices.ContainsFunc(formats(p), func(f string) bool { return format.Same(f, mime) })
}

func notTaken(p spooler.PrinterView, mime string, named bool) *failure {
	f := fail(goipp.StatusErrorDocumentFormatNotSupported, "printer %s does not take documents of the format %s", spool.Quote(p.Name), spool.Quote(mime))
	if named {
		f.unsupported = goipp.Attributes{attr.Mime("document-format", mime)}
	}
	return f
}

// explain gives an error of a submission the status of IPP that is meant.
func (d incoming) explain(err error) error {
	switch {
	case d.over.exceeded:
		return fail(goipp.StatusErrorRequestEntity, "the document is longer than this host takes")
	case errors.Is(err, format.ErrCompressed), errors.Is(err, errBrokenOff):
		return err
	case spoolerr.KindOf(err) == spoolerr.Invalid:
		return fail(goipp.StatusErrorBadRequest, "%v", err)
	}
	return err
}

// bounded ends a document that is too long with an error.
type bounded struct {
	r         io.Reader
	left      int64
	unlimited bool
	exceeded  bool
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.unlimited {
		return n, err
	}
	if b.left -= int64(n); b.left < 0 {
		b.exceeded = true
		return 0, spoolerr.New(spoolerr.Exhausted, 0, "the document is too long")
	}
	return n, err
}
