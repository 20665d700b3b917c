package ippmon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// job is one document on its way to a printer: the ports.Target of this monitor.
type job struct {
	*client
	doc     spool.Doc
	log     *slog.Logger
	printer printer

	ctx    context.Context // ends with Drop
	cancel context.CancelFunc
	body   *feed
	once   sync.Once
	sent   chan struct{} // closed when the printer has answered to the document
	answer *goipp.Message
	err    error

	mu     sync.Mutex
	status spool.PortStatus
	id     int // the printer's number for the job; 0 if there is nothing to cancel
}

func (j *job) number() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.id
}

// setNumber gives the number that was.
func (j *job) setNumber(id int) (before int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before, j.id = j.id, id
	return before
}

// about makes a request on the printer's job: job-id belongs right behind printer-uri.
func (j *job) about(op goipp.Op, id int, more ...goipp.Attribute) *goipp.Message {
	m := j.request(op, j.doc.User, more...)
	m.Operation = slices.Insert(m.Operation, 3, goipp.MakeAttribute("job-id", goipp.TagInteger, goipp.Integer(id)))
	return m
}

// begin asks the printer what it can do and, if it can, makes a job there.
func begin(ctx context.Context, s settings, doc spool.Doc, log *slog.Logger) (*job, error) {
	j := &job{client: newClient(s), doc: doc, log: log, body: newFeed(), sent: make(chan struct{})}
	if err := j.prepare(ctx); err != nil {
		j.close()
		return nil, err
	}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	return j, nil
}

func (j *job) prepare(ctx context.Context) (err error) {
	if j.printer, err = j.client.printer(ctx); err != nil {
		return err
	}
	j.status = j.printer.status
	switch {
	case !j.printer.accepting:
		return spoolerr.New(spoolerr.Unavailable, 0, "%s accepts no jobs now; let it accept them there", j.uri.Redacted())
	case !j.printer.can(goipp.OpCreateJob, goipp.OpSendDocument):
		return nil // Print-Job does both, with the document
	}
	answer, err := j.do(ctx, j.request(goipp.OpCreateJob, j.doc.User, j.name("job-name")))
	var refused *statusError
	switch {
	case errors.As(err, &refused) && refused.status == goipp.StatusErrorOperationNotSupported:
		return nil
	case err != nil:
		return err
	}
	id, ok := number(answer.Job, "job-id")
	if !ok || id <= 0 {
		return spoolerr.New(spoolerr.Unavailable, 0, "%s made a job and gave it no number", j.uri.Redacted())
	}
	j.setNumber(id)
	return nil
}

func (j *job) name(attribute string) goipp.Attribute {
	title := cut(j.doc.Title)
	if title == "" {
		title = "Untitled"
	}
	return goipp.MakeAttribute(attribute, goipp.TagName, goipp.String(title))
}

// start sends the document once its first bytes are known. How that ends is in j.err when
// j.sent is closed.
func (j *job) start(head []byte) {
	format, err := j.choose(head)
	if err != nil {
		j.err = err
		close(j.sent)
		return
	}
	mime := goipp.MakeAttribute("document-format", goipp.TagMimeType, goipp.String(format))
	var m *goipp.Message
	if id := j.number(); id != 0 {
		m = j.about(goipp.OpSendDocument, id, j.name("document-name"), mime)
		m.Operation.Add(goipp.MakeAttribute("last-document", goipp.TagBoolean, goipp.Boolean(true)))
	} else {
		m = j.request(goipp.OpPrintJob, j.doc.User, j.name("job-name"), mime)
	}
	go func() {
		defer close(j.sent)
		j.answer, j.err = j.send(j.ctx, m, j.body)
		j.body.giveUp()
	}()
}

// choose gives the format to declare: what was set, what the document is if the printer
// takes that, else that the printer should look itself.
func (j *job) choose(head []byte) (string, error) {
	const look = "application/octet-stream"
	if j.format != "" {
		return j.format, nil
	}
	found := detect(head)
	switch {
	case found != "" && j.printer.takes(found):
		return found, nil
	case len(j.printer.formats) == 0 || j.printer.takes(look):
		return look, nil
	case found == "":
		return look, nil // let the printer say what is wrong with it
	}
	return "", spoolerr.New(spoolerr.Unavailable, 0, "%s does not take %s; print in a format that it takes, or set format", j.uri.Redacted(), found)
}

// detect knows the formats that printers of IPP take.
func detect(head []byte) string {
	for _, m := range []struct{ prefix, mime string }{
		{"%PDF-", "application/pdf"}, {"%!", "application/postscript"}, {"RaS2", "image/pwg-raster"}, {"UNIRAST\x00", "image/urf"},
		{"\xff\xd8\xff", "image/jpeg"}, {"\x1bE", "application/vnd.hp-PCL"},
	} {
		if bytes.HasPrefix(head, []byte(m.prefix)) {
			return m.mime
		}
	}
	return ""
}

// Write hands bytes to the printer.
func (j *job) Write(ctx context.Context, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	j.once.Do(func() { j.start(p) })
	n, err := j.body.write(ctx, p, j.writeTimeout, j.sent)
	if errors.Is(err, io.ErrClosedPipe) {
		return n, j.ended()
	}
	return n, err
}

// ended words that the printer answered, or hung up, before the document's end.
func (j *job) ended() error {
	<-j.sent
	if j.err != nil {
		return j.err
	}
	return spoolerr.New(spoolerr.Unavailable, 0, "%s ended the job before it had the whole document", j.uri.Redacted())
}

// Finish sees the document at the printer, and then on paper.
func (j *job) Finish(ctx context.Context, stalled func()) error {
	j.once.Do(func() { j.start(nil) }) // an empty document
	j.body.end()
	select {
	case <-j.sent:
	case <-ctx.Done():
		return spoolerr.Wrap(ctx.Err(), "%s has not confirmed the document", j.uri.Redacted())
	}
	if j.err != nil {
		return j.err
	}
	if id, ok := number(j.answer.Job, "job-id"); ok && id > 0 {
		j.setNumber(id)
	}
	if j.followTimeout == 0 || j.number() == 0 {
		return nil
	}
	return j.follow(ctx, stalled)
}

// Release ends the job's connections.
func (j *job) Release() {
	j.cancel()
	j.close()
}

// Drop ends the job at once, here and at the printer.
func (j *job) Drop() {
	j.cancel()
	j.body.giveUp()
	if id := j.setNumber(0); id != 0 {
		const moment = 3 * time.Second
		ctx, cancel := context.WithTimeout(context.Background(), moment)
		defer cancel()
		if _, err := j.do(ctx, j.about(goipp.OpCancelJob, id)); err != nil {
			j.log.Warn("the printer could not be told to cancel the job", "printer", j.uri.Redacted(), "its job", id, "error", err)
		}
	}
	j.once.Do(func() { // nothing was sent
		j.err = errIncomplete
		close(j.sent)
	})
	<-j.sent
	j.close()
}

// Condition is what the printer reported last.
func (j *job) Condition() spool.PortStatus {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.status.Clear() {
		return j.status
	}
	return spool.PortStatus{Text: "printer " + j.uri.Redacted() + " does not take data; check it for paper and errors", Severity: spool.SeverityWarning}
}

// feed hands a document from Write to the request that carries it.
type feed struct {
	chunks chan []byte
	over   chan struct{} // closed when nobody reads any more
	once   sync.Once
	ends   sync.Once
	rest   []byte
}

func newFeed() *feed { return &feed{chunks: make(chan []byte), over: make(chan struct{})} }

// write waits until the request takes p.
func (f *feed) write(ctx context.Context, p []byte, patience time.Duration, answered <-chan struct{}) (int, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case f.chunks <- bytes.Clone(p):
		return len(p), nil
	case <-f.over:
		return 0, io.ErrClosedPipe
	case <-answered:
		return 0, io.ErrClosedPipe
	case <-timer.C:
		return 0, os.ErrDeadlineExceeded
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// end says that the document is whole.
func (f *feed) end() { f.ends.Do(func() { close(f.chunks) }) }

// giveUp says that nobody reads any more.
func (f *feed) giveUp() { f.once.Do(func() { close(f.over) }) }

// errIncomplete keeps a printer from taking half a document for a whole one.
var errIncomplete = errors.New("the document was given up")

func (f *feed) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		select {
		case chunk, more := <-f.chunks:
			if !more {
				return 0, io.EOF
			}
			f.rest = chunk
		case <-f.over:
			return 0, errIncomplete
		}
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}
