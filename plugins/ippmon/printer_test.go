package ippmon_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/OpenPrinting/goipp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a printer of IPP that keeps what comes.
type fake struct {
	*httptest.Server
	// before, when it is set, sees each request, and may answer in the printer's place.
	before func(op goipp.Op) goipp.Status

	mu        sync.Mutex
	old       bool // without Create-Job
	formats   []string
	reasons   []string
	end       int // the state that jobs come to
	next      int
	documents [][]byte
	seen      []goipp.Op
	last      goipp.Message
	stalled   chan struct{} // while not nil, documents are not read
}

func newFake(t testing.TB, tls bool) *fake {
	t.Helper()
	f := &fake{formats: []string{"application/octet-stream", "application/pdf"}, reasons: []string{"none"}, end: 9}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	if tls {
		f.StartTLS()
	} else {
		f.Start()
	}
	t.Cleanup(f.Close)
	return f
}

func (f *fake) uri() string {
	scheme := "ipp"
	if strings.HasPrefix(f.URL, "https") {
		scheme = "ipps"
	}
	_, rest, _ := strings.Cut(f.URL, "://")
	return scheme + "://" + rest + "/ipp/print"
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	var m goipp.Message
	if err := m.Decode(r.Body); err != nil || r.Header.Get("Content-Type") != goipp.ContentType {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	op := goipp.Op(m.Code)
	f.mu.Lock()
	stalled := f.stalled
	f.seen = append(f.seen, op)
	f.last = m
	f.mu.Unlock()
	out := goipp.NewResponse(m.Version, goipp.StatusOk, m.RequestID)
	out.Operation.Add(goipp.MakeAttribute("attributes-charset", goipp.TagCharset, goipp.String("utf-8")))
	out.Operation.Add(goipp.MakeAttribute("attributes-natural-language", goipp.TagLanguage, goipp.String("en")))
	status := goipp.StatusOk
	if f.before != nil {
		status = f.before(op)
	}
	if (op == goipp.OpSendDocument || op == goipp.OpPrintJob) && status == goipp.StatusOk {
		if stalled != nil {
			select {
			case <-stalled:
			case <-r.Context().Done():
				return
			}
		}
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return // broken off: not a document
		}
		f.mu.Lock()
		f.documents = append(f.documents, data)
		f.mu.Unlock()
	}
	out.Code = goipp.Code(status)
	if status == goipp.StatusOk {
		f.answer(op, out)
	}
	w.Header().Set("Content-Type", goipp.ContentType)
	_ = out.Encode(w)
}

func (f *fake) answer(op goipp.Op, out *goipp.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	integer := func(name string, tag goipp.Tag, n int) {
		out.Job.Add(goipp.MakeAttribute(name, tag, goipp.Integer(n)))
	}
	switch op {
	case goipp.OpCreateJob, goipp.OpPrintJob:
		f.next++
		integer("job-id", goipp.TagInteger, f.next)
	case goipp.OpGetJobAttributes:
		integer("job-state", goipp.TagEnum, f.end)
		integer("job-media-sheets-completed", goipp.TagInteger, 3)
		out.Job.Add(goipp.MakeAttribute("job-state-reasons", goipp.TagKeyword, goipp.String("job-canceled-at-device")))
	case goipp.OpGetPrinterAttributes:
		ops := goipp.Attribute{Name: "operations-supported"}
		for _, o := range []goipp.Op{goipp.OpPrintJob, goipp.OpCreateJob, goipp.OpSendDocument} {
			if !f.old || o == goipp.OpPrintJob {
				ops.Values.Add(goipp.TagEnum, goipp.Integer(o))
			}
		}
		texts := func(name string, tag goipp.Tag, list []string) {
			a := goipp.Attribute{Name: name}
			for _, s := range list {
				a.Values.Add(tag, goipp.String(s))
			}
			out.Printer.Add(a)
		}
		out.Printer.Add(ops)
		texts("document-format-supported", goipp.TagMimeType, f.formats)
		texts("printer-state-reasons", goipp.TagKeyword, f.reasons)
	}
}

func (f *fake) saw(op goipp.Op) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.seen, op)
}

func (f *fake) got() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.documents)
}
