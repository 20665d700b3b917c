package ipp_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// random gives bytes that do not compress and are the same in every run.
func random(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

func TestPrintJob(t *testing.T) {
	b := newBench(t, nil)
	data := random(8 << 20)
	m := b.do(b.request(goipp.OpPrintJob, attr.Name("job-name", "a report"), attr.Name("document-name", "report.bin")), bytes.NewReader(data))
	id := b.jobID(m)
	b.wants(m.Job, "job-uri", "ipp://"+b.addr+"/jobs/1")
	b.state(id, job.Printed)
	sum := sha256.Sum256(data)
	if r := b.sink.Receipts(); len(r) != 1 || r[0].SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("the device has %+v", r)
	}
	list := b.jobAttributes(id)
	b.wants(list, "job-state", "9")
	b.wants(list, "job-name", "a report")
	b.wants(list, "job-originating-user-name", "ann")
	b.wants(list, "document-name-supplied", "report.bin")
	b.wants(list, "document-format", "application/octet-stream")
	b.wants(list, "job-k-octets", "8192")
	b.wants(list, "job-printer-uri", b.uri())
}

func packed(t *testing.T, how string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if how == "deflate" {
		w, _ = flate.NewWriter(&out, 6)
	}
	_, err := w.Write(data)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCompression(t *testing.T) {
	b := newBench(t, nil)
	data := []byte(strings.Repeat("%PDF-1.7 document ", 100_000))
	for _, how := range []string{"gzip", "deflate"} {
		m := b.do(b.request(goipp.OpPrintJob, attr.Keyword("compression", how)), bytes.NewReader(packed(t, how, data)))
		j := b.state(b.jobID(m), job.Printed)
		if j.Document.Size != int64(len(data)) || j.Documents[0].Format != "application/pdf" {
			t.Errorf("%s: %+v", how, j.Documents)
		}
		cut := packed(t, how, data)
		b.do(b.request(goipp.OpPrintJob, attr.Keyword("compression", how)), bytes.NewReader(cut[:len(cut)/2]), goipp.StatusErrorCompressionError)
		b.do(b.request(goipp.OpPrintJob, attr.Keyword("compression", how)), strings.NewReader("not packed at all"), goipp.StatusErrorCompressionError)
	}
	m := b.do(b.request(goipp.OpPrintJob, attr.Keyword("compression", "compress")), nil, goipp.StatusErrorCompressionNotSupported)
	b.wants(m.Unsupported, "compression", "compress")
	b.nothingLeft(2)
}

// nothingLeft checks that only so many jobs exist, and no document of a refused one.
func (b *bench) nothingLeft(jobs int) {
	b.Helper()
	n := len(b.host.Node().Queue().Active(""))
	for range b.host.Node().Queue().Finished(b.Context(), 0) {
		n++
	}
	if n != jobs {
		b.Errorf("%d jobs, want %d", n, jobs)
	}
	b.until("no document is left behind", func() bool {
		return len(hosttest.Documents(filepath.Join(b.dir, "data", "documents"))) == 0
	})
}

// A sender that goes away in the middle of a document leaves nothing behind.
func TestBrokenOff(t *testing.T) {
	b := newBench(t, nil)
	head, err := b.request(goipp.OpPrintJob).EncodeBytes()
	b.ok(err)
	half := strings.Repeat("half a document", 40_000)
	for _, rest := range []string{"Content-Length: 1000000\r\n\r\n" + string(head) + half, "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(head)+len(half), string(head)+half)} {
		c, err := net.Dial("tcp", b.addr)
		b.ok(err)
		_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ipp\r\n"+rest)
		b.ok(err)
		b.until("the document is begun", func() bool {
			return len(hosttest.Documents(filepath.Join(b.dir, "data", "documents"))) > 0
		})
		b.ok(c.Close())
		b.nothingLeft(0)
	}
}

func (b *bench) until(what string, ok func() bool) {
	b.Helper()
	poll.Until(b, what, ok)
}

func TestCreateSendClose(t *testing.T) {
	b := newBench(t, nil)
	m := b.do(b.request(goipp.OpCreateJob, attr.Name("job-name", "two")), nil)
	id := b.jobID(m)
	b.wants(m.Job, "job-state", "4")
	b.wants(m.Job, "job-state-reasons", "[job-incoming,job-data-insufficient]")
	send := func(last bool, data string, want ...goipp.Status) {
		t.Helper()
		var body io.Reader
		if data != "" {
			body = strings.NewReader(data)
		}
		b.do(b.request(goipp.OpSendDocument, jobID(id), attr.Bool("last-document", last)), body, want...)
	}
	b.do(b.request(goipp.OpSendDocument, jobID(id)), strings.NewReader("x"), goipp.StatusErrorBadRequest)
	send(false, "", goipp.StatusErrorBadRequest)
	send(false, "first")
	send(false, "second")
	list := b.do(b.request(goipp.OpGetDocuments, jobID(id), attr.Keyword("requested-attributes", "all")), nil)
	if len(list.Groups) != 3 {
		t.Errorf("documents: %v", list.Groups)
	}
	send(true, "") // nothing but the end
	b.state(id, job.Printed)
	if got := b.received(); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("the device has %q", got)
	}
	send(true, "third", goipp.StatusErrorNotPossible)

	id = b.jobID(b.do(b.request(goipp.OpCreateJob), nil))
	send(false, "closed")
	b.do(b.request(goipp.OpCloseJob, jobID(id)), nil)
	b.state(id, job.Printed)
	b.do(b.request(goipp.OpCloseJob, jobID(id)), nil, goipp.StatusErrorNotPossible)
}

func TestFormats(t *testing.T) {
	b := newBench(t, nil)
	b.ok(b.host.Node().UpdatePrinter(t.Context(), "hall", spooler.Settings{Formats: []string{"application/octet-stream", "application/pdf"}}))
	mime := func(m string) goipp.Attribute { return attr.Mime("document-format", m) }
	j := b.state(b.print("%PDF-1.4 x"), job.Printed)
	if j.Documents[0].Format != "application/pdf" {
		t.Errorf("detected %+v", j.Documents)
	}
	b.state(b.print("anything", mime("application/PDF; version=1")), job.Printed)
	m := b.do(b.request(goipp.OpPrintJob, mime("image/jpeg")), strings.NewReader("x"), goipp.StatusErrorDocumentFormatNotSupported)
	b.wants(m.Unsupported, "document-format", "image/jpeg")
	m = b.do(b.request(goipp.OpPrintJob), strings.NewReader("\xff\xd8\xff jpeg"), goipp.StatusErrorDocumentFormatNotSupported)
	b.wants(m.Unsupported, "document-format", "image/jpeg")
	b.do(b.request(goipp.OpValidateJob, mime("image/jpeg")), nil, goipp.StatusErrorDocumentFormatNotSupported)
	b.do(b.request(goipp.OpPrintJob), nil, goipp.StatusErrorBadRequest) // empty
	b.wants(b.printerAttributes("document-format-supported"), "document-format-supported", "[application/octet-stream,application/pdf]")
	b.nothingLeft(2)
}

func TestTicket(t *testing.T) {
	b := newBench(t, nil)
	b.pause()
	print := func(fidelity bool, want goipp.Status, list ...goipp.Attribute) *goipp.Message {
		t.Helper()
		m := b.request(goipp.OpPrintJob, attr.Bool("ipp-attribute-fidelity", fidelity))
		m.Job = list
		return b.do(m, strings.NewReader("x"), want)
	}
	m := print(true, goipp.StatusOk, attr.Int("copies", 3), attr.Keyword("sides", "two-sided-long-edge"), attr.Int("job-priority", 70),
		attr.Keyword("media", "na_letter_8.5x11in"), attr.Enum("print-quality", 5), attr.Range("page-ranges", 1, 2), attr.Keyword("job-hold-until", "indefinite"))
	id := b.jobID(m)
	b.wants(m.Job, "job-state", "4")
	list := b.jobAttributes(id)
	for name, want := range map[string]string{
		"copies": "3", "sides": "two-sided-long-edge", "job-priority": "70", "media": "na_letter_8.5x11in", "job-hold-until": "indefinite", "page-ranges": "1-2",
	} {
		b.wants(list, name, want)
	}
	odd := []goipp.Attribute{attr.Keyword("sides", "six-sided"), attr.Int("colour-of-paper", 7), attr.Int("copies", 2)}
	m = print(true, goipp.StatusErrorAttributesOrValues, odd...)
	b.wants(m.Unsupported, "sides", "six-sided")
	if a, _ := attr.Find(m.Unsupported, "colour-of-paper"); len(a.Values) != 1 || a.Values[0].T != goipp.TagUnsupportedValue {
		t.Errorf("colour-of-paper: %v", a)
	}
	m = print(false, goipp.StatusOkIgnoredOrSubstituted, odd...)
	b.wants(m.Unsupported, "sides", "six-sided")
	list = b.jobAttributes(b.jobID(m))
	b.wants(list, "copies", "2")
	if attr.Has(list, "sides") {
		t.Error("an ignored attribute is kept")
	}
	print(true, goipp.StatusErrorAttributesOrValues, attr.Int("copies", 0))
	print(true, goipp.StatusErrorAttributesOrValues, attr.Int("copies", spooler.MaxCopies+1))
	print(true, goipp.StatusErrorBadRequest, attr.Keyword("copies", "many"))
	night := b.jobID(print(true, goipp.StatusOk, attr.Name("job-hold-until", time.Now().UTC().Add(2*time.Hour).Format("15:04:05"))))
	b.wants(b.jobAttributes(night), "job-state-reasons", "job-hold-until-specified")

	b.ok(b.host.Node().ResumePrinter(t.Context(), "hall"))
	b.do(b.request(goipp.OpReleaseJob, jobID(id)), nil)
	b.state(id, job.Printed)
	if n := len(b.received()); n != 5 { // three copies, and two of the other
		t.Errorf("%d documents came", n)
	}
	b.do(b.request(goipp.OpReleaseJob, jobID(night)), nil)
	b.state(night, job.Printed)
}

func TestDocumentTooLong(t *testing.T) {
	b := newBench(t, func(c *host.Config) { c.IPP.Limits.Document = 1000 })
	b.do(b.request(goipp.OpPrintJob), bytes.NewReader(random(1001)), goipp.StatusErrorRequestEntity)
	bomb := packed(t, "gzip", make([]byte, 10<<20))
	b.do(b.request(goipp.OpPrintJob, attr.Keyword("compression", "gzip")), bytes.NewReader(bomb), goipp.StatusErrorRequestEntity)
	b.print(string(random(1000)))
}
