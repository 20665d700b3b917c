package target

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// IPP is any print server that speaks IPP: CUPS, a spoolhost, a printer.
type IPP struct {
	base   *url.URL // ipp://HOST:PORT/printers
	format string
	admin  *ippClient
}

// NewIPP makes a target of a server: uri is ipp://HOST:PORT/PATH, where the queues are
// PATH/NAME; without a path it is /printers. format is the documents' format, of MIME.
func NewIPP(uri, format string) (*IPP, error) {
	base, err := url.Parse(uri)
	if err != nil || base.Scheme != "ipp" || base.Hostname() == "" {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "%s is no address of a print server; write ipp://HOST:PORT/printers", spool.Quote(uri))
	}
	if base.Port() == "" {
		base.Host = net.JoinHostPort(base.Hostname(), "631")
	}
	if base.Path = strings.TrimSuffix(base.Path, "/"); base.Path == "" {
		base.Path = "/printers"
	}
	t := &IPP{base: base, format: format}
	t.admin = t.newClient()
	return t, nil
}

// Name gives the address.
func (t *IPP) Name() string { return t.base.String() }

// Pid is not known by IPP.
func (t *IPP) Pid(context.Context) int { return 0 }

// Close ends the connection by which queues are made.
func (t *IPP) Close() error { return t.admin.Close() }

// Client makes one that connects with its first document.
func (t *IPP) Client() (Client, error) { return t.newClient(), nil }

func (t *IPP) newClient() *ippClient {
	return &ippClient{IPP: t, wire: &wire{addr: t.base.Host}}
}

// AddQueue is lpadmin's request, CUPS-Add-Modify-Printer. A server that has just been started
// is given a while.
func (t *IPP) AddQueue(ctx context.Context, name string, printer *net.TCPAddr) error {
	const longest = 20 * time.Second
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return untilFree(ctx, func() error { return t.addQueue(ctx, name, printer) })
}

func (t *IPP) addQueue(ctx context.Context, name string, printer *net.TCPAddr) error {
	m := t.admin.request(goipp.OpCupsAddModifyPrinter, name)
	set := func(name string, tag goipp.Tag, value goipp.Value) {
		m.Printer.Add(goipp.MakeAttribute(name, tag, value))
	}
	set("device-uri", goipp.TagURI, goipp.String("socket://"+printer.String()))
	set("printer-state", goipp.TagEnum, goipp.Integer(3)) // idle, so that it prints
	set("printer-is-accepting-jobs", goipp.TagBoolean, goipp.Boolean(true))
	return t.admin.ask(ctx, "/admin/", m, "queue "+name+" cannot be made")
}

// RemoveQueue is CUPS-Delete-Printer, which cancels the queue's jobs.
func (t *IPP) RemoveQueue(ctx context.Context, name string) error {
	purge := t.admin.request(goipp.OpPurgeJobs, name)
	if err := t.admin.ask(ctx, "/admin/", purge, "the jobs of queue "+name+" cannot be cancelled"); !gone(err) && spoolerr.KindOf(err) != spoolerr.Unsupported {
		return err
	}
	err := untilFree(ctx, func() error {
		m := t.admin.request(goipp.OpCupsDeletePrinter, name)
		return t.admin.ask(ctx, "/admin/", m, "queue "+name+" cannot be removed")
	})
	if gone(err) {
		return nil
	}
	return err
}

// ippClient keeps one connection.
type ippClient struct {
	*IPP
	wire *wire
	id   atomic.Uint32 // those who make queues ask at the same time
}

func (c *ippClient) Close() error { return c.wire.Close() }

// request begins a request about a queue.
func (c *ippClient) request(op goipp.Op, queue string) *goipp.Message {
	m := goipp.NewRequest(goipp.DefaultVersion, op, c.id.Add(1))
	add := func(name string, tag goipp.Tag, value string) {
		m.Operation.Add(goipp.MakeAttribute(name, tag, goipp.String(value)))
	}
	add("attributes-charset", goipp.TagCharset, "utf-8")
	add("attributes-natural-language", goipp.TagLanguage, "en")
	add("printer-uri", goipp.TagURI, c.base.String()+"/"+queue)
	add("requesting-user-name", goipp.TagName, "bench")
	return m
}

// Submit is Print-Job.
func (c *ippClient) Submit(ctx context.Context, doc Document) error {
	m := c.request(goipp.OpPrintJob, doc.Queue)
	m.Operation.Add(goipp.MakeAttribute("job-name", goipp.TagName, goipp.String(doc.Title)))
	m.Operation.Add(goipp.MakeAttribute("document-format", goipp.TagMimeType, goipp.String(c.format)))
	return c.post(ctx, c.base.Path+"/"+doc.Queue, m, doc, "Print-Job to "+doc.Queue)
}

func (c *ippClient) ask(ctx context.Context, path string, m *goipp.Message, what string) error {
	return c.post(ctx, path, m, Document{}, what)
}

// post sends a request, and after it a document. Its length is told, and nothing of it is
// held in memory.
func (c *ippClient) post(ctx context.Context, path string, m *goipp.Message, doc Document, what string) error {
	head, err := m.EncodeBytes()
	if err != nil {
		return spoolerr.As(err, spoolerr.Invalid, "%s", what)
	}
	const most = 1 << 20
	status, text, err := c.wire.post(ctx, path, head, doc.Bytes, doc.Size, most)
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "%s", what)
	}
	return answer(status, text, what)
}

// answer reads what the server says. Successful are all codes below 0x100.
func answer(code int, text []byte, what string) error {
	if code != http.StatusOK {
		kind := spoolerr.Unavailable
		if slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, code) {
			kind = spoolerr.Denied
		}
		return spoolerr.New(kind, 0, "%s: the server answers %d %s", what, code, http.StatusText(code))
	}
	var m goipp.Message
	if err := m.DecodeBytes(text); err != nil {
		return spoolerr.As(err, spoolerr.Corrupt, "%s: the server's answer is no IPP", what)
	}
	const successful = 0x100
	status := goipp.Status(m.Code)
	if status < successful {
		return nil
	}
	return spoolerr.New(statusKind(status), 0, "%s: %s", what, statusText(status, m))
}

func statusText(status goipp.Status, m goipp.Message) string {
	for _, a := range m.Operation {
		if a.Name == "status-message" && len(a.Values) > 0 {
			return fmt.Sprintf("%s (%s)", a.Values[0].V, status)
		}
	}
	return status.String()
}

func statusKind(s goipp.Status) spoolerr.Kind {
	switch s {
	case goipp.StatusErrorNotFound:
		return spoolerr.NotFound
	case goipp.StatusErrorForbidden, goipp.StatusErrorNotAuthenticated, goipp.StatusErrorNotAuthorized:
		return spoolerr.Denied
	case goipp.StatusErrorNotPossible, goipp.StatusErrorBusy, goipp.StatusErrorTooManyJobs, goipp.StatusErrorServiceUnavailable:
		return spoolerr.Busy
	case goipp.StatusErrorOperationNotSupported:
		return spoolerr.Unsupported
	default:
		return spoolerr.Invalid
	}
}
