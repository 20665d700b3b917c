package ipp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/format"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// reply is the answer of an operation that succeeded.
type reply struct {
	status  goipp.Status
	message string
	// operation are attributes besides charset, language and message.
	operation   goipp.Attributes
	unsupported goipp.Attributes
	groups      goipp.Groups
	// more are groups that are made while the answer is sent.
	more iter.Seq[goipp.Group]
	// data follows the attributes; it is closed when it was sent.
	data io.ReadCloser
	// whole, if set, is the answer as another node has made it; there is nothing else.
	whole io.ReadCloser
}

func ok() *reply { return &reply{} }

// group gives a reply of one group.
func group(tag goipp.Tag, attrs goipp.Attributes) *reply {
	return &reply{groups: goipp.Groups{{Tag: tag, Attrs: attrs}}}
}

// failure is an operation that failed, with its status of IPP.
type failure struct {
	status      goipp.Status
	text        string
	unsupported goipp.Attributes
}

// Error gives the text.
func (f *failure) Error() string { return f.text }

func fail(status goipp.Status, format string, args ...any) *failure {
	return &failure{status: status, text: fmt.Sprintf(format, args...)}
}

// failureOf gives an error the status of IPP that means the same.
func failureOf(err error) *failure {
	var f *failure
	var syntax *attr.SyntaxError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &syntax):
		return fail(goipp.StatusErrorBadRequest, "%v", err)
	case errors.Is(err, format.ErrCompressed):
		return fail(goipp.StatusErrorCompressionError, "%v", err)
	case errors.Is(err, errBrokenOff):
		return fail(goipp.StatusErrorBadRequest, "%v", err)
	}
	return fail(statusOf(spoolerr.KindOf(err)), "%v", err)
}

func statusOf(k spoolerr.Kind) goipp.Status {
	statuses := map[spoolerr.Kind]goipp.Status{
		spoolerr.Invalid: goipp.StatusErrorBadRequest, spoolerr.NotFound: goipp.StatusErrorNotFound,
		spoolerr.Exists: goipp.StatusErrorNotPossible, spoolerr.Denied: goipp.StatusErrorNotAuthorized,
		spoolerr.Busy: goipp.StatusErrorNotPossible, spoolerr.NotReady: goipp.StatusErrorBusy,
		spoolerr.TimedOut: goipp.StatusErrorTimeout, spoolerr.Unavailable: goipp.StatusErrorServiceUnavailable,
		spoolerr.Unsupported: goipp.StatusErrorOperationNotSupported, spoolerr.Cancelled: goipp.StatusErrorTemporary,
		spoolerr.NoSpace: goipp.StatusErrorTemporary, spoolerr.Exhausted: goipp.StatusErrorRequestEntity,
		spoolerr.Precondition: goipp.StatusErrorNotPossible, spoolerr.Exited: goipp.StatusErrorTemporary,
	}
	if st, ok := statuses[k]; ok {
		return st
	}
	return goipp.StatusErrorInternal
}

// answer sends the answer to a request: a reply, or the failure that err is.
func (s *Server) answer(w http.ResponseWriter, hr *http.Request, r *request, out *reply, err error) {
	out = s.settle(r, out, err, hr.RemoteAddr)
	defer out.close()
	w.Header().Set("Content-Type", goipp.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	slow := &patientWriter{w: w, control: http.NewResponseController(w)}
	buffered := bufio.NewWriterSize(slow, out.buffer())
	if err := out.write(buffered, r); err == nil {
		_ = buffered.Flush()
	}
}

// buffer is how much of a reply is written at once: most are short.
func (out *reply) buffer() int {
	if out.whole == nil && out.more == nil && out.data == nil {
		return 2 << 10
	}
	return 32 << 10
}

// settle makes a reply of an operation that failed.
func (s *Server) settle(r *request, out *reply, err error, from string) *reply {
	if err == nil {
		return out
	}
	f := failureOf(err)
	s.cfg.Logger.Debug("a request failed", "operation", r.op.name, "status", f.status.String(), "error", f.text, "from", from)
	return &reply{status: f.status, message: f.text, unsupported: f.unsupported}
}

func (out *reply) close() {
	for _, c := range []io.ReadCloser{out.data, out.whole} {
		if c != nil {
			_ = c.Close()
		}
	}
}

// write sends a reply; groups that it makes on the way are never all in memory.
func (out *reply) write(w io.Writer, r *request) error {
	if out.whole != nil {
		_, err := io.Copy(w, out.whole)
		return err
	}
	version := r.msg.Version
	if version.Major() != 1 && version.Major() != 2 {
		version = goipp.DefaultVersion
	}
	m := goipp.NewResponse(version, out.status, r.msg.RequestID)
	m.Groups = append(goipp.Groups{{Tag: goipp.TagOperationGroup, Attrs: out.operationAttributes()}}, out.unsupportedGroup()...)
	m.Groups = append(m.Groups, out.groups...)
	head, err := m.EncodeBytes()
	if err != nil {
		return err
	}
	head = head[:len(head)-1] // the end tag comes later
	if _, err := w.Write(head); err != nil {
		return err
	}
	if out.more != nil {
		for g := range out.more {
			if err := writeGroup(w, g); err != nil {
				return err
			}
		}
	}
	if _, err := w.Write([]byte{byte(goipp.TagEnd)}); err != nil || out.data == nil {
		return err
	}
	_, err = io.Copy(w, out.data)
	return err
}

func (out *reply) operationAttributes() goipp.Attributes {
	list := goipp.Attributes{attr.Charset("attributes-charset", "utf-8"), attr.Language("attributes-natural-language", "en")}
	message := out.message
	if message == "" {
		message = out.status.String()
	}
	list = append(list, attr.Text("status-message", attr.Cut(oneLine(message), attr.MaxName)))
	return append(list, out.operation...)
}

func (out *reply) unsupportedGroup() goipp.Groups {
	if len(out.unsupported) == 0 {
		return nil
	}
	return goipp.Groups{{Tag: goipp.TagUnsupportedGroup, Attrs: out.unsupported}}
}

// writeGroup writes one group as it stands in a message.
func writeGroup(w io.Writer, g goipp.Group) error {
	m := goipp.NewMessageWithGroups(goipp.DefaultVersion, 0, 1, goipp.Groups{g})
	data, err := m.EncodeBytes()
	if err != nil {
		return err
	}
	const before, after = 8, 1 // version, code and id; the end tag
	_, err = w.Write(data[before : len(data)-after])
	return err
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// patientWriter gives each piece of an answer its own deadline.
type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
}

func (p *patientWriter) Write(b []byte) (int, error) {
	const longest = time.Minute
	_ = p.control.SetWriteDeadline(time.Now().Add(longest))
	return p.w.Write(b)
}
