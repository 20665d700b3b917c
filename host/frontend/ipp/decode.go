package ipp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// request is one request of IPP.
type request struct {
	ctx  context.Context
	msg  goipp.Message
	op   operation
	base base
	// document is what follows the attributes.
	document io.Reader
	caller   access.Caller
	// user is the name that the caller goes by: proved, or else said.
	user   string
	origin string
	local  bool

	// passed says that it comes from another node.
	passed bool
	// recorded says that the spooler is not open here: it goes by what is recorded of it.
	recorded bool

	target  target
	spooler *spooler.Spooler
	printer spooler.PrinterView
	job     *job.Job
}

// base is how the client reaches this host: what URIs begin with.
type base struct {
	host   string
	secure bool
}

func (b base) uri(path string) string {
	if b.secure {
		return "ipps://" + b.host + path
	}
	return "ipp://" + b.host + path
}

// The bounds of a request's attributes, in bytes. Those that exceed the usual wait for a
// slot, because decoded they take twenty times as much memory.
const (
	maxAttributes   = 256 << 10
	usualAttributes = 16 << 10
)

// decode reads the attributes of a request. What it gives is never nil.
func (s *Server) decode(hr *http.Request, in io.Reader) (*request, error) {
	remote, _ := netip.ParseAddrPort(hr.RemoteAddr)
	r := &request{
		ctx: hr.Context(), base: base{host: hr.Host, secure: hr.TLS != nil},
		origin: remote.Addr().Unmap().String(), local: remote.Addr().Unmap().IsLoopback(),
	}
	buffered := bufio.NewReaderSize(in, 4<<10) // no more than needed: a chunk may come slowly
	limited := &header{r: buffered, slots: s.large}
	defer limited.release()
	if err := decodeMessage(&r.msg, limited); err != nil {
		return r, decodeError(err, limited)
	}
	r.document = buffered
	return r, s.checkEnvelope(r)
}

// decodeMessage is goipp's decoder, which panics on some tags that it does not know.
func decodeMessage(m *goipp.Message, in io.Reader) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("an attribute has a syntax that does not exist")
		}
	}()
	return m.Decode(in)
}

func decodeError(err error, in *header) error {
	switch {
	case in.refused:
		return fail(goipp.StatusErrorBusy, "too many large requests at once; try again")
	case in.read > maxAttributes:
		return fail(goipp.StatusErrorRequestEntity, "the attributes take more than %d bytes", maxAttributes)
	}
	return fail(goipp.StatusErrorBadRequest, "the request cannot be read: %v", err)
}

// header reads the attributes of a request within their bounds.
type header struct {
	r       io.Reader
	slots   chan struct{}
	read    int
	holds   bool
	refused bool
}

func (h *header) Read(p []byte) (int, error) {
	h.read += len(p)
	switch {
	case h.read > maxAttributes:
		return 0, io.ErrShortBuffer
	case h.read > usualAttributes && !h.holds:
		select {
		case h.slots <- struct{}{}:
			h.holds = true
		default:
			h.refused = true
			return 0, io.ErrShortBuffer
		}
	}
	return h.r.Read(p)
}

func (h *header) release() {
	if h.holds {
		<-h.slots
	}
}

// checkEnvelope checks what every request must have (RFC 8011 section 4.1), and finds its
// operation.
func (s *Server) checkEnvelope(r *request) error {
	m := &r.msg
	switch {
	case m.Version.Major() != 1 && m.Version.Major() != 2:
		return fail(goipp.StatusErrorVersionNotSupported, "version %s is not supported; use 1.1 or 2.0 to 2.2", m.Version)
	case m.RequestID == 0 || m.RequestID > 1<<31-1:
		return fail(goipp.StatusErrorBadRequest, "request-id %d is not between 1 and 2147483647", m.RequestID)
	case len(m.Groups) == 0 || m.Groups[0].Tag != goipp.TagOperationGroup:
		return fail(goipp.StatusErrorBadRequest, "a request begins with its operation attributes")
	}
	for i, g := range m.Groups {
		if i > 0 && g.Tag == goipp.TagOperationGroup {
			return fail(goipp.StatusErrorBadRequest, "a request has one group of operation attributes")
		}
		if name := attr.TooLong(g.Attrs); name != "" {
			return fail(goipp.StatusErrorRequestValue, "the value of %s is too long", name)
		}
		if name := twice(g.Attrs); name != "" {
			return fail(goipp.StatusErrorBadRequest, "attribute %s is there twice", name)
		}
	}
	if err := checkCharset(m.Operation); err != nil {
		return err
	}
	op, known := s.table[int(m.Code)]
	if !known {
		return fail(goipp.StatusErrorOperationNotSupported, "operation 0x%04x is not supported", int(m.Code))
	}
	r.op = op
	return nil
}

func twice(list goipp.Attributes) string {
	seen := make(map[string]bool, len(list))
	for _, a := range list {
		if seen[a.Name] {
			return a.Name
		}
		seen[a.Name] = true
	}
	return ""
}

// checkCharset wants attributes-charset first and attributes-natural-language second.
func checkCharset(op goipp.Attributes) error {
	if len(op) < 2 || op[0].Name != "attributes-charset" || op[1].Name != "attributes-natural-language" {
		return fail(goipp.StatusErrorBadRequest, "a request begins with attributes-charset and attributes-natural-language")
	}
	charset, _, err := attr.ReadText(op, "attributes-charset")
	if err != nil || op[0].Values[0].T != goipp.TagCharset || op[1].Values[0].T != goipp.TagLanguage {
		return fail(goipp.StatusErrorBadRequest, "attributes-charset must be a charset, attributes-natural-language a naturalLanguage")
	}
	if !equalFold(charset, "utf-8") && !equalFold(charset, "us-ascii") {
		return fail(goipp.StatusErrorCharset, "charset %q is not supported; use utf-8", charset)
	}
	return nil
}
