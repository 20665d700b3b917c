package ipp_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/bcrypt"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// What a browser can be made to send gets no further than the door.
func TestDoor(t *testing.T) {
	b := newBench(t, nil)
	head, err := b.request(goipp.OpPurgeJobs).EncodeBytes()
	b.ok(err)
	for _, c := range []struct {
		name, method, host, origin, kind string
		want                             int
	}{
		{"well", "POST", "", "", "application/ipp", 200},
		{"an address", "POST", "192.0.2.7:8631", "", "application/ipp", 200},
		{"localhost", "POST", "LOCALHOST.:8631", "", "application/ipp", 200},
		{"a form", "POST", "", "", "application/x-www-form-urlencoded", 415},
		{"text", "POST", "", "", "text/plain", 415},
		{"a page's request", "POST", "", "http://evil.example", "application/ipp", 403},
		{"a rebound name", "POST", "evil.example:8631", "", "application/ipp", 421},
		{"a rebound name with GET", "GET", "evil.example:8631", "", "", 421},
		{"preflight", "OPTIONS", "", "", "", 405},
		{"a page", "GET", "", "", "", 200},
		{"a method", "PUT", "", "", "application/ipp", 405},
	} {
		hr, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+b.addr+"/", bytes.NewReader(head))
		b.ok(err)
		hr.Host = c.host
		hr.Header.Set("Content-Type", c.kind)
		if c.origin != "" {
			hr.Header.Set("Origin", c.origin)
		}
		resp, err := b.client.Do(hr)
		b.ok(err)
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, resp.StatusCode, c.want)
		}
	}
	resp, err := b.client.Get("http://" + b.addr + "/printers/../../etc/passwd")
	b.ok(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("a path: %d", resp.StatusCode)
	}
}

func TestTargets(t *testing.T) {
	b := newBench(t, nil)
	b.ok(b.host.Node().AddPrinter(t.Context(), "Größe 1%", spooler.Settings{Ports: []string{"P1"}}))
	for uri, want := range map[string]goipp.Status{
		"ipp://localhost/printers/hall": goipp.StatusOk, "ipp://x/printers/HALL": goipp.StatusOk, "http://x/printers/hall/": goipp.StatusOk,
		"ipps://x/spoolers/node/printers/hall": goipp.StatusOk, "ipp://x/ipp/print/hall": goipp.StatusOk,
		"ipp://x/printers/Gr%C3%B6%C3%9Fe%201%25": goipp.StatusOk, "ipp://x/printers/gr%c3%b6%c3%9fe%201%25?q": goipp.StatusOk,
		"ipp://x/printers/none": goipp.StatusErrorNotFound, "ipp://x/spoolers/other/printers/hall": goipp.StatusErrorNotFound,
		"ipp://x/printers/../etc": goipp.StatusErrorNotFound, "ipp://x/printers/..%2fhall": goipp.StatusErrorNotFound,
		"ftp://x/printers/hall": goipp.StatusErrorURIScheme, "ipp://x/%zz": goipp.StatusErrorBadRequest, "mailto:hall": goipp.StatusErrorBadRequest,
		"ipp://x/classes/hall": goipp.StatusErrorNotFound, "ipp://x/jobs/0": goipp.StatusErrorNotFound, "ipp://x/jobs/99999999999999999999": goipp.StatusErrorNotFound,
	} {
		m := b.request(goipp.OpGetPrinterAttributes)
		m.Operation = attr.Put(m.Operation, attr.URI("printer-uri", uri))
		status, answer := b.post(m, nil)
		if status != http.StatusOK || goipp.Status(answer.Code) != want {
			t.Errorf("%s: HTTP %d, %v, want %v", uri, status, answer, want)
		}
	}
	id := b.print("x")
	m := b.request(goipp.OpGetJobAttributes, attr.URI("job-uri", "ipp://x/jobs/1"))
	m.Operation = attr.Delete(m.Operation, "printer-uri")
	b.wants(b.do(m, nil).Job, "job-id", "1")
	b.ok(b.host.Node().AddPrinter(t.Context(), "other", spooler.Settings{Ports: []string{"P1"}}))
	m = b.request(goipp.OpGetJobAttributes, jobID(id))
	m.Operation = attr.Put(m.Operation, attr.URI("printer-uri", "ipp://x/printers/other"))
	b.do(m, nil, goipp.StatusErrorNotFound)
}

// usersFile makes accounts: ann prints, olga operates, adam administers; each one's
// password is "password of NAME".
func usersFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	text := "# accounts\nmachine:operator:-\n"
	for name, role := range map[string]access.Role{"ann": access.User, "olga": access.Operator, "adam": access.Administrator} {
		hash, err := bcrypt.GenerateFromPassword([]byte("password of "+name), bcrypt.MinCost) // fast, for tests only
		if err != nil {
			t.Fatal(err)
		}
		text += name + ":" + role.String() + ":" + string(hash) + "\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (b *bench) as(name string) {
	b.account, b.password, b.user = name, "password of "+name, "somebody else"
}

func TestPasswords(t *testing.T) {
	var log bytes.Buffer
	b := newBench(t, func(c *host.Config) {
		c.IPP.Users, c.IPP.Anonymous = usersFile(t), ipp.AnonymousNone
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})
	})
	b.pause()
	b.as("ann")
	id := b.print("x")
	b.wants(b.jobAttributes(id), "job-originating-user-name", "ann") // and not the name that was said
	for _, c := range []struct {
		account, password string
		op                goipp.Op
		http              int
		status            goipp.Status
	}{
		{"ann", "wrong", goipp.OpGetJobs, 401, 0}, {"nobody", "password of ann", goipp.OpGetJobs, 401, 0}, {"machine", "-", goipp.OpGetJobs, 401, 0},
		{"ann", "password of ann", goipp.OpPausePrinter, 401, 0}, {"olga", "password of olga", goipp.OpPausePrinter, 200, goipp.StatusOk},
		{"olga", "password of olga", goipp.OpSetPrinterAttributes, 401, 0}, {"adam", "password of adam", goipp.OpSetPrinterAttributes, 200, goipp.StatusOk},
		{"olga", "password of olga", goipp.OpCancelJob, 200, goipp.StatusOk},
		{"ann", "password of ann", goipp.OpCancelJob, 200, goipp.StatusErrorNotPossible},
	} {
		b.account, b.password = c.account, c.password
		status, answer := b.post(b.request(c.op, jobID(id)), nil)
		if status != c.http || answer != nil && goipp.Status(answer.Code) != c.status {
			t.Errorf("%s by %s: HTTP %d, %v", c.op, c.account, status, answer)
		}
	}
	if strings.Contains(log.String(), "password of") || strings.Contains(log.String(), "wrong\"") {
		t.Errorf("a password is in the log:\n%s", log.String())
	}
}

// A guesser is slowed down, and stays slowed down though it then guesses right.
func TestGuessing(t *testing.T) {
	clock := hosttest.NewClock(time.Now())
	b := newBench(t, func(c *host.Config) {
		c.IPP.Users, c.Now = usersFile(t), clock.Now
	})
	b.as("ann")
	b.password = "wrong"
	for range 10 {
		if status, _ := b.post(b.request(goipp.OpGetJobs), nil); status != http.StatusUnauthorized {
			t.Fatalf("HTTP %d", status)
		}
	}
	b.as("ann")
	if status, _ := b.post(b.request(goipp.OpGetJobs), nil); status != http.StatusUnauthorized {
		t.Errorf("the eleventh guess was looked at: HTTP %d", status)
	}
	clock.Forward(2 * time.Second)
	b.do(b.request(goipp.OpGetJobs), nil)
}

func TestAllowLists(t *testing.T) {
	b := newBench(t, func(c *host.Config) { c.IPP.Users = usersFile(t) })
	b.ok(b.host.Node().UpdatePrinter(t.Context(), "hall", spooler.Settings{Allow: []string{"ann"}}))
	b.as("ann")
	b.print("x")
	b.ok(b.host.Node().UpdatePrinter(t.Context(), "hall", spooler.Settings{Allow: []string{"bob"}}))
	b.do(b.request(goipp.OpPrintJob), strings.NewReader("x"), goipp.StatusErrorNotAuthorized)
	b.do(b.request(goipp.OpCreateJob), nil, goipp.StatusErrorNotAuthorized)
	b.do(b.request(goipp.OpValidateJob), nil, goipp.StatusErrorNotAuthorized)
	b.as("olga")
	b.print("x")
}

// Others see that a job is there, and not what it is.
func TestPrivacy(t *testing.T) {
	b := newBench(t, func(c *host.Config) { c.IPP.Users = usersFile(t) })
	b.pause()
	b.as("olga")
	id := b.print("x", attr.Name("job-name", "secret"))
	b.as("ann")
	list := b.jobAttributes(id)
	b.wants(list, "job-id", "1")
	b.wants(list, "job-state", "3")
	for _, name := range []string{"job-name", "job-originating-user-name", "document-name-supplied", "job-state-message", "copies"} {
		if attr.Has(list, name) {
			t.Errorf("ann sees %s of olga's job", name)
		}
	}
	for _, op := range []goipp.Op{goipp.OpCancelJob, goipp.OpHoldJob, goipp.OpSendDocument, goipp.OpCloseJob, goipp.OpSetJobAttributes, goipp.OpCupsGetDocument, goipp.OpGetDocuments} {
		b.do(b.request(op, jobID(id), attr.Bool("last-document", true)), nil, goipp.StatusErrorNotAuthorized)
	}
	if n := len(b.do(b.request(goipp.OpCancelMyJobs), nil).Job); n != 0 {
		t.Error("a job came back")
	}
	b.state(id, job.Queued)
}

// clientCertificate makes an authority and a certificate of a name.
func clientCertificate(t *testing.T, name string) (caPath string, cert tls.Certificate) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	must(err)
	caPath = filepath.Join(t.TempDir(), "ca.pem")
	must(os.WriteFile(caPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600))
	return caPath, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TLS and plain text share the address; a certificate proves a name.
func TestTLS(t *testing.T) {
	ca, cert := clientCertificate(t, "machine")
	b := newBench(t, func(c *host.Config) {
		c.IPP.Users, c.IPP.TLS, c.IPP.Anonymous = usersFile(t), &host.IPPTLS{ClientCA: ca}, ipp.AnonymousNone
	})
	b.as("ann")
	b.print("in plain text on loopback")
	roots := x509.NewCertPool()
	own, err := os.ReadFile(filepath.Join(b.dir, "data", "ipp", "certificate.pem"))
	b.ok(err)
	roots.AppendCertsFromPEM(own)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	b.scheme, b.client = "https", &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	id := b.print("by password")
	b.wants(b.jobAttributes(id), "job-uri", "ipps://"+b.addr+"/jobs/2")
	b.wants(b.printerAttributes("uri-security-supported"), "uri-security-supported", "tls")
	b.account = ""
	transport.CloseIdleConnections()
	certified := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}}
	b.client = &http.Client{Transport: certified}
	defer certified.CloseIdleConnections()
	id = b.print("by certificate")
	b.wants(b.jobAttributes(id), "job-originating-user-name", "machine")
	b.do(b.request(goipp.OpPausePrinter), nil) // the account's role
}

// A host that others reach is not open by accident.
func TestOpenByAccident(t *testing.T) {
	for _, c := range []struct {
		cfg host.IPP
		ok  bool
	}{
		{host.IPP{Listen: []string{"0.0.0.0:0"}}, false},
		{host.IPP{Listen: []string{"0.0.0.0:0"}, TLS: &host.IPPTLS{}}, false},
		{host.IPP{Listen: []string{"0.0.0.0:0"}, Anonymous: "everybody"}, false},
		{host.IPP{Listen: []string{"8631"}}, false},
		{host.IPP{Listen: []string{"127.0.0.1:0"}, Users: "/does/not/exist"}, false},
		{host.IPP{Listen: []string{"127.0.0.1:0", "localhost:0", "[::1]:0"}, Discovery: true}, false}, // who would find it?
	} {
		cfg := host.DefaultConfig()
		cfg.Data, cfg.Listen, cfg.IPP = t.TempDir(), []string{"127.0.0.1:0"}, c.cfg
		h, err := host.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Run(t.Context()); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.cfg, err)
		}
		_ = h.Close()
	}
}
