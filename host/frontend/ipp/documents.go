package ipp

import (
	"io"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/format"
	"github.com/spoolhost/spoolhost/host/job"
)

// getDocuments lists the documents of a job (PWG 5100.5).
func (s *Server) getDocuments(r *request) (*reply, error) {
	limit, _, err := attr.ReadInt(r.msg.Operation, "limit")
	if err != nil {
		return nil, err
	}
	w, err := wantedDocument(r, "document-number")
	if err != nil {
		return nil, err
	}
	out := ok()
	for n := range r.job.Parts() {
		if limit > 0 && n == limit {
			break
		}
		out.groups = append(out.groups, goipp.Group{Tag: goipp.TagDocumentGroup, Attrs: attr.Select(w, documentSources(), s.part(r, n))})
	}
	return out, nil
}

func wantedDocument(r *request, unasked string) (attr.Wanted, error) {
	names, has, err := attr.ReadTexts(r.msg.Operation, "requested-attributes")
	if err == nil && !has {
		names = []string{unasked}
	}
	return attr.Want(names, groupDocument, "document-template"), err
}

// numbered reads document-number, counted from 1.
func numbered(r *request) (int, error) {
	n, _, err := attr.ReadInt(r.msg.Operation, "document-number")
	if err == nil && (n < 1 || n > len(r.job.Parts())) {
		return 0, fail(goipp.StatusErrorNotFound, "job %d has no document %d", r.job.ID, n)
	}
	return n, err
}

func (s *Server) getDocumentAttributes(r *request) (*reply, error) {
	n, err := numbered(r)
	if err != nil {
		return nil, err
	}
	w, err := wantedDocument(r, "all")
	if err != nil {
		return nil, err
	}
	return group(goipp.TagDocumentGroup, attr.Select(w, documentSources(), s.part(r, n-1))), nil
}

// setDocumentAttributes changes a document's name, which is all that can be changed.
func (s *Server) setDocumentAttributes(r *request) (*reply, error) {
	n, err := numbered(r)
	if err != nil {
		return nil, err
	}
	name, has, err := attr.ReadText(r.msg.Document, "document-name")
	if err != nil {
		return nil, err
	}
	var unsupported goipp.Attributes
	for _, a := range r.msg.Document {
		if a.Name != "document-name" {
			unsupported = append(unsupported, attr.Make(a.Name, goipp.TagNotSettable, goipp.Void{}))
		}
	}
	if len(unsupported) > 0 || !has {
		f := fail(goipp.StatusErrorAttributesNotSettable, "only document-name can be changed")
		f.unsupported = unsupported
		return nil, f
	}
	name = printable(name)
	return ok(), r.spooler.EditJob(r.ctx, r.job.ID, job.Edit{Part: n - 1, PartName: &name}, r.user)
}

func (s *Server) cancelDocument(r *request) (*reply, error) {
	n, err := numbered(r)
	if err != nil {
		return nil, err
	}
	return ok(), r.spooler.CancelDocument(r.ctx, r.job.ID, n, r.user)
}

// groupDocument is the group of a document's attributes.
const groupDocument = "document-description"

// shownPart is one document as a request sees it.
type shownPart struct {
	*Server
	*request
	n    int // from 0
	part job.Part
}

func (s *Server) part(r *request, n int) *shownPart {
	return &shownPart{Server: s, request: r, n: n, part: r.job.Parts()[n]}
}

// state gives document-state and its reasons.
func (v *shownPart) state() (int, string) {
	j := v.job
	switch {
	case v.part.Cancelled, j.State == job.Cancelled && v.n >= j.At:
		return jobCanceled, "canceled-by-user"
	case v.n < j.At, j.State == job.Printed:
		return jobCompleted, "completed-successfully"
	case j.State == job.Failed:
		return jobAborted, "aborted-by-system"
	case v.n == j.At && j.State == job.Printing:
		return jobProcessing, "processing"
	}
	return jobPending, "none"
}

func documentSources() []attr.Source[*shownPart] {
	of := func(name string, from func(v *shownPart) goipp.Attribute) attr.Source[*shownPart] {
		return attr.Source[*shownPart]{Name: name, Group: groupDocument, From: from}
	}
	return []attr.Source[*shownPart]{
		of("document-number", func(v *shownPart) goipp.Attribute { return attr.Int("", v.n+1) }),
		of("document-job-id", func(v *shownPart) goipp.Attribute { return attr.Int("", int(v.job.ID)) }),
		of("document-job-uri", func(v *shownPart) goipp.Attribute { return attr.URI("", v.base.uri(v.jobPath(v.job.ID))) }),
		of("document-printer-uri", func(v *shownPart) goipp.Attribute { return attr.URI("", v.base.uri(v.printerPath(v.job.Printer))) }),
		of("document-name", func(v *shownPart) goipp.Attribute { return attr.Name("", v.part.Name) }),
		of("document-format", func(v *shownPart) goipp.Attribute { return attr.Mime("", cmpOr(v.part.Format, format.OctetStream)) }),
		of("document-state", func(v *shownPart) goipp.Attribute { st, _ := v.state(); return attr.Enum("", st) }),
		of("document-state-reasons", func(v *shownPart) goipp.Attribute { _, why := v.state(); return attr.Keyword("", why) }),
		of("k-octets", func(v *shownPart) goipp.Attribute { return attr.Int("", kilo(v.part.Size)) }),
		of("last-document", func(v *shownPart) goipp.Attribute {
			return attr.Bool("", v.job.State != job.Incoming && v.n == len(v.job.Parts())-1)
		}),
		of("date-time-at-creation", func(v *shownPart) goipp.Attribute { return attr.Time("", v.job.Submitted) }),
		of("time-at-creation", func(v *shownPart) goipp.Attribute { return attr.UnixTime("", v.job.Submitted) }),
		of("printer-up-time", func(v *shownPart) goipp.Attribute { return attr.UnixTime("", v.cfg.Now()) }),
	}
}

// cupsGetDocument sends a document that is still kept.
func (s *Server) cupsGetDocument(r *request) (*reply, error) {
	n := 1
	if attr.Has(r.msg.Operation, "document-number") {
		var err error
		if n, err = numbered(r); err != nil {
			return nil, err
		}
	}
	doc, part, err := r.spooler.Document(r.ctx, r.job, n)
	if err != nil {
		return nil, err
	}
	out := ok()
	out.operation = goipp.Attributes{attr.Mime("document-format", cmpOr(part.Format, format.OctetStream)), attr.Int("document-number", n)}
	if part.Name != "" {
		out.operation = append(out.operation, attr.Name("document-name", part.Name))
	}
	out.data = &openDocument{Reader: io.NewSectionReader(doc, 0, doc.Size()), doc: doc}
	return out, nil
}

type openDocument struct {
	io.Reader
	doc *document.Document
}

func (d *openDocument) Close() error { return d.doc.Close() }
