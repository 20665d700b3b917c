package ipp

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"
)

// serveHTTP is the way of every request: is it one that a printing client makes, what does
// it ask, who asks, may they; then the operation.
func (s *Server) serveHTTP(w http.ResponseWriter, hr *http.Request) {
	c := connOf(hr.Context())
	if c == nil {
		http.Error(w, "no connection", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Server", "spoolhost IPP/2.2")
	if status, text := s.refuse(hr); status != 0 {
		http.Error(w, text, status)
		return
	}
	if hr.Method == http.MethodGet || hr.Method == http.MethodHead {
		s.serveGet(w, hr)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(s.limits.Header))
	in := &body{r: hr.Body, control: control}
	r, err := s.decode(hr, in)
	if err != nil {
		s.answer(w, hr, r, nil, err)
		return
	}
	c.busy.Store(true)
	defer c.busy.Store(false)
	in.silence = s.limits.Silence
	if challenge := s.authenticate(hr, c, r); challenge != nil {
		challenge.write(w)
		return
	}
	reply, err := s.run(r)
	s.drain(in)
	s.answer(w, hr, r, reply, err)
}

// refuse gives a status other than 0 for what no printing client sends: a browser's doing,
// or a name that is not this host's, by which a page of the web could reach it (DNS
// rebinding).
func (s *Server) refuse(hr *http.Request) (status int, text string) {
	addr, _ := netip.ParseAddrPort(hr.RemoteAddr)
	kind, _, _ := mime.ParseMediaType(hr.Header.Get("Content-Type"))
	switch {
	case s.tooMany(addr.Addr().Unmap()):
		return http.StatusTooManyRequests, "too many requests; try again later"
	case hr.Header.Get("Origin") != "":
		return http.StatusForbidden, "requests of web pages are not answered"
	case !s.ownHost(hr.Host):
		return http.StatusMisdirectedRequest, "this host does not have the name that was asked for; name it in the configuration (ipp: names)"
	case hr.Method == http.MethodGet, hr.Method == http.MethodHead:
		return 0, ""
	case hr.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "requests of IPP are sent with POST"
	case kind != goipp.ContentType:
		return http.StatusUnsupportedMediaType, "the content type must be " + goipp.ContentType
	}
	return 0, ""
}

// tooMany takes one request from an address's share. This machine's own programs have no
// share: a proxy or a spooler on it speaks for many, and a local program that floods can do
// worse by other means.
func (s *Server) tooMany(from netip.Addr) bool {
	return s.limits.Rate > 0 && !from.IsLoopback() && !s.rates.Allow(from)
}

// ownNames are the names of this host, folded.
func ownNames(more []string) map[string]bool {
	names := map[string]bool{"localhost": true}
	if own, err := os.Hostname(); err == nil {
		more = append(more, own)
	}
	for _, n := range more {
		n = strings.TrimSuffix(strings.ToLower(n), ".")
		first, _, _ := strings.Cut(n, ".")
		for _, form := range []string{n, first, first + ".local"} {
			names[form] = true
		}
	}
	return names
}

// ownHost says whether a Host header names this host. Addresses cannot be rebound.
func (s *Server) ownHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	return s.names[name] || name != "" && name == s.called.Load()
}

func (s *Server) serveGet(w http.ResponseWriter, hr *http.Request) {
	if hr.URL.Path != "/" {
		http.NotFound(w, hr) // such as the PPD files that old clients ask for
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "spoolhost prints here: ipp://"+hr.Host+"/printers/NAME\n")
}

// body is a request's body. While the document comes, each Read has its own deadline, so
// that a client may be slow but not silent.
type body struct {
	r       io.Reader
	control *http.ResponseController
	silence time.Duration
	ended   bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.silence > 0 {
		_ = b.control.SetReadDeadline(time.Now().Add(b.silence))
	}
	n, err := b.r.Read(p)
	if err != nil {
		b.ended = true
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = errors.Join(errBrokenOff, err)
	}
	return n, err
}

// errBrokenOff marks a request whose sender went away or fell silent.
var errBrokenOff = errors.New("the request broke off before its end")

// drain reads what an operation left of a request, within bounds: many clients hear an
// answer only when they have sent everything.
func (s *Server) drain(in *body) {
	const most, longest = 64 << 20, 10 * time.Second
	if in.ended {
		return
	}
	in.silence = 0
	_ = in.control.SetReadDeadline(time.Now().Add(longest))
	_, _ = io.CopyN(io.Discard, in, most)
}
