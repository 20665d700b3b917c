package ippmon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// client speaks IPP to one printer.
type client struct {
	settings
	url       string
	transport *http.Transport
	id        atomic.Uint32
}

// The bounds of what a printer may answer.
const (
	maxAnswer  = 1 << 20
	maxHeaders = 64 << 10
)

func newClient(s settings) *client {
	scheme, port := "http", "631"
	if s.uri.Scheme == "ipps" {
		scheme = "https"
	}
	if p := s.uri.Port(); p != "" {
		port = p
	}
	c := &client{settings: s, url: scheme + "://" + net.JoinHostPort(s.uri.Hostname(), port) + s.uri.EscapedPath()}
	c.transport = &http.Transport{
		DialContext: (&net.Dialer{Timeout: s.timeout, KeepAlive: 15 * time.Second}).DialContext, TLSHandshakeTimeout: s.timeout,
		MaxResponseHeaderBytes: maxHeaders, IdleConnTimeout: 10 * time.Second, TLSClientConfig: s.tls(),
		ForceAttemptHTTP2: false, DisableCompression: true, ExpectContinueTimeout: time.Second,
	}
	return c
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// tls trusts the authorities of this machine, or the one certificate that is pinned.
func (s settings) tls() *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.uri.Hostname()}
	if s.pin == "" {
		return cfg
	}
	cfg.InsecureSkipVerify = true //nolint:gosec // the pin says more than an authority
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if got := fingerprint(state.PeerCertificates[0]); got != s.pin {
			return &pinError{got}
		}
		return nil
	}
	return cfg
}

type pinError struct{ got string }

func (e *pinError) Error() string { return "the certificate's SHA-256 is " + e.got }

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// request begins a request of an operation on the printer.
func (c *client) request(op goipp.Op, user string, more ...goipp.Attribute) *goipp.Message {
	m := goipp.NewRequest(goipp.MakeVersion(1, 1), op, c.id.Add(1))
	m.Operation = goipp.Attributes{
		goipp.MakeAttribute("attributes-charset", goipp.TagCharset, goipp.String("utf-8")),
		goipp.MakeAttribute("attributes-natural-language", goipp.TagLanguage, goipp.String("en")),
		goipp.MakeAttribute("printer-uri", goipp.TagURI, goipp.String(c.uri.String())),
	}
	if user != "" {
		m.Operation.Add(goipp.MakeAttribute("requesting-user-name", goipp.TagName, goipp.String(cut(user))))
	}
	m.Operation = append(m.Operation, more...)
	return m
}

// do makes a request within the time-out.
func (c *client) do(ctx context.Context, m *goipp.Message) (*goipp.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.send(ctx, m, nil)
}

// send makes a request that may carry a document, and gives the printer's answer if it is
// a good one.
func (c *client) send(ctx context.Context, m *goipp.Message, document io.Reader) (*goipp.Message, error) {
	head, err := m.EncodeBytes()
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Internal, "a request for %s", c.uri.Redacted())
	}
	var body io.Reader = bytes.NewReader(head)
	if document != nil {
		body = io.MultiReader(body, document)
	}
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, body)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Invalid, "%s", c.uri.Redacted())
	}
	hr.Header.Set("Content-Type", goipp.ContentType)
	hr.Header.Set("User-Agent", "spoolhost/"+Version+" IPP/1.1")
	resp, err := c.transport.RoundTrip(hr)
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, c.refused(resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	answer, err := decode(data, m.RequestID)
	if err != nil {
		return nil, spoolerr.New(spoolerr.Unavailable, 0, "%s answers what is not IPP: %v; check the path of the URI", c.uri.Redacted(), err)
	}
	return answer, c.judge(goipp.Op(m.Code), answer)
}

// decode reads an answer; goipp panics on some tags that it does not know.
func decode(data []byte, id uint32) (m *goipp.Message, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("an attribute has a syntax that does not exist")
		}
	}()
	if len(data) > maxAnswer {
		return nil, errors.New("the answer is too long")
	}
	m = &goipp.Message{}
	if err := m.DecodeBytesEx(data, goipp.DecoderOptions{EnableWorkarounds: true}); err != nil {
		return nil, err
	}
	if m.RequestID != id {
		return nil, fmt.Errorf("the answer is to request %d instead of %d", m.RequestID, id)
	}
	return m, nil
}

// unreached words a request that got no answer.
func (c *client) unreached(ctx context.Context, err error) error {
	var pinned *pinError
	var unknown x509.UnknownAuthorityError
	switch {
	case context.Cause(ctx) != nil && errors.Is(context.Cause(ctx), context.Canceled):
		return context.Canceled
	case errors.As(err, &pinned):
		return spoolerr.New(spoolerr.Denied, 0, "%s is not the printer whose certificate is pinned: its certificate has the SHA-256 %s; "+
			"if it was replaced, set pin to that", c.uri.Redacted(), pinned.got)
	case errors.As(err, &unknown) && unknown.Cert != nil:
		return spoolerr.New(spoolerr.Denied, 0, "%s has a certificate of no known authority; if it is the printer's own, set pin=%s",
			c.uri.Redacted(), fingerprint(unknown.Cert))
	}
	return spoolerr.As(err, spoolerr.Unavailable, "%s cannot be reached; check its power, cable and address", c.uri.Redacted())
}

// refused words an answer of HTTP that is not one of IPP.
func (c *client) refused(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return spoolerr.New(spoolerr.Denied, 0, "%s wants to know who prints (HTTP %d); let this host print there without a password", c.uri.Redacted(), status)
	case http.StatusUpgradeRequired:
		return spoolerr.New(spoolerr.Unavailable, 0, "%s wants encryption (HTTP %d); use ipps in the URI", c.uri.Redacted(), status)
	case http.StatusNotFound:
		return spoolerr.New(spoolerr.Unavailable, 0, "%s does not exist there (HTTP %d); check the path of the URI", c.uri.Redacted(), status)
	}
	return spoolerr.New(spoolerr.Unavailable, 0, "%s answers with HTTP %d", c.uri.Redacted(), status)
}

// statusError is a status of IPP that is none of success.
type statusError struct {
	status goipp.Status
	err    *spoolerr.Error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

func (c *client) judge(op goipp.Op, m *goipp.Message) error {
	const firstFailure = 0x0100
	status := goipp.Status(m.Code)
	if m.Code < firstFailure {
		return nil
	}
	kind := spoolerr.Unavailable
	switch status {
	case goipp.StatusErrorForbidden, goipp.StatusErrorNotAuthenticated, goipp.StatusErrorNotAuthorized:
		kind = spoolerr.Denied
	}
	said := text(m.Operation, "status-message")
	return &statusError{status, spoolerr.New(kind, 0, "%s refuses %s: %s %s", c.uri.Redacted(), op, status, spool.Quote(said))}
}

func find(list goipp.Attributes, name string) goipp.Values {
	for _, a := range list {
		if a.Name == name {
			return a.Values
		}
	}
	return nil
}

func text(list goipp.Attributes, name string) string {
	if v := find(list, name); len(v) > 0 {
		return v[0].V.String()
	}
	return ""
}

func number(list goipp.Attributes, name string) (int, bool) {
	if v := find(list, name); len(v) > 0 {
		n, ok := v[0].V.(goipp.Integer)
		return int(n), ok
	}
	return 0, false
}

// cut bounds a name as IPP wants it.
func cut(s string) string {
	const most = 255
	r := []rune(s)
	for len(string(r)) > most {
		r = r[:len(r)-1]
	}
	return string(r)
}
