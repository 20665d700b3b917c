package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/dial"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/trust"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// authority is a certificate authority for tests.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	return a
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *authority) client(t *testing.T, name string, use x509.ExtKeyUsage) *tls.Certificate {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{use},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestSecureCallers(t *testing.T) {
	identity, err := trust.OpenIdentity(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	users := filepath.Join(t.TempDir(), "users")
	for name, secret := range map[string]string{"ann": "right password", "olga": ""} {
		if err := access.SetUser(users, name, access.Operator, secret); err != nil {
			t.Fatal(err)
		}
	}
	people, nodes, strangers := newAuthority(t), newAuthority(t), newAuthority(t)
	secure := &access.Secure{
		Certificate: func() *tls.Certificate { return &identity.Pair }, ClientCA: people.pool(),
		NodeCA: nodes.pool, Guesses: access.NewRates(1, time.Now),
	}
	if secure.Users, err = access.OpenUsers(users); err != nil {
		t.Fatal(err)
	}
	target := serveSecure(t, secure)
	at := dial.Options{Fingerprint: identity.Fingerprint()}
	with := func(c *tls.Certificate) dial.Options { o := at; o.Certificate = c; return o }
	account := func(name, secret string) dial.Options { o := at; o.User, o.Password = name, secret; return o }
	const clients = x509.ExtKeyUsageClientAuth
	for _, c := range []struct {
		name, user, role string
		options          dial.Options
		fails            spoolerr.Kind
	}{
		{"nobody", "nobody", "user", at, 0},
		{"an account", "ann", "operator", account("ann", "right password"), 0},
		{"a wrong password", "", "", account("ann", "wrong password"), spoolerr.Denied},
		{"an account without a password", "", "", account("olga", ""), spoolerr.Denied},
		{"a certificate with an account", "olga", "operator", with(people.client(t, "olga", clients)), 0},
		{"a certificate without", "eve", "user", with(people.client(t, "eve", clients)), 0},
		{"a certificate of a stranger", "nobody", "user", with(strangers.client(t, "olga", clients)), 0},
		{"a certificate for servers", "nobody", "user", with(people.client(t, "olga", x509.ExtKeyUsageServerAuth)), 0},
		{"a node", "node n2", "administrator", with(nodes.client(t, "n2", clients)), 0},
		{"the wrong host", "", "", dial.Options{Fingerprint: "SHA256:x"}, spoolerr.Unavailable},
		{"the wrong authority", "", "", dial.Options{Roots: strangers.pool()}, spoolerr.Unavailable},
	} {
		st, err := statusBy(t, target, c.options)
		if c.fails != 0 && !errors.Is(err, c.fails) || c.fails == 0 && err != nil || st.GetUser() != c.user || st.GetRole() != c.role {
			t.Errorf("%s: %s, %s, %v", c.name, st.GetUser(), st.GetRole(), err)
		}
	}
	old, err := tls.Dial("tcp", target.Address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err == nil {
		old.Close()
		t.Error("TLS 1.2 was taken")
	}
}

func TestSecurePins(t *testing.T) {
	dir := t.TempDir()
	serve := func(name string) (dial.Target, string) {
		identity, err := trust.OpenIdentity(filepath.Join(dir, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		return serveSecure(t, &access.Secure{Certificate: func() *tls.Certificate { return &identity.Pair }}), identity.Fingerprint()
	}
	first, print := serve("one")
	met := 0
	pins := &trust.Pins{Path: filepath.Join(dir, "sub", "known"), Met: func(_, seen string) {
		if met++; seen != print {
			t.Errorf("met %s, not %s", seen, print)
		}
	}}
	for range 2 {
		if _, err := statusBy(t, first, dial.Options{Pins: pins}); err != nil {
			t.Error(err)
		}
	}
	if met != 1 {
		t.Errorf("met %d times", met)
	}
	_, other := serve("two")
	if err := pins.Check(first.Address, other); !errors.Is(err, spoolerr.Denied) || !strings.Contains(err.Error(), pins.Path) {
		t.Errorf("another key at the same address: %v", err)
	}
}

func serveSecure(t *testing.T, secure *access.Secure) dial.Target {
	t.Helper()
	s := New(Config{
		Spoolers: func() []*spooler.Spooler { return nil }, Secure: secure,
		Info: Info{Listen: func() []string { return nil }},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(Secure(l)) }()
	t.Cleanup(func() {
		s.Close(t.Context())
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return dial.Target{Network: "tls", Address: l.Addr().String()}
}

func statusBy(t *testing.T, target dial.Target, o dial.Options) (*apiv1.GetStatusResponse, error) {
	t.Helper()
	conn, err := dial.New(target, o, grpc.WithUserAgent("test"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	st, err := apiv1.NewHostClient(conn).GetStatus(t.Context(), &apiv1.GetStatusRequest{})
	return st, spoolgrpc.FromStatus(err)
}
