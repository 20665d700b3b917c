//go:build unix

package host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
)

// secured is a pair whose server has an address for TLS.
func secured(t *testing.T, change func(*Config)) (p *pair, address string) {
	t.Helper()
	p = newPair(t)
	p.serverNode.stop()
	p.serverNode.cfg.Listen = append(p.server.Addrs(), "tls:127.0.0.1:0")
	change(&p.serverNode.cfg)
	p.server = p.serverNode.start()
	return p, p.server.Addrs()[1]
}

// happened counts the events of a kind at the client.
func (p *pair) happened(id eventlog.ID) (n int) {
	for _, e := range p.client.events.Select(eventlog.Filter{}) {
		if e.ID == id {
			n++
		}
	}
	return n
}

// refused makes sure that a refresh fails because of the server's identity, and that it was
// logged.
func (p *pair) refused(events int, words string) {
	p.t.Helper()
	_, _, err := p.client.connections.Refresh(p.t.Context(), p.name(), nil, nil)
	if !errors.Is(err, client.CodeIdentity) || !strings.Contains(err.Error(), words) {
		p.t.Errorf("%v, and not %q", err, words)
	}
	if n := p.happened(eventlog.ServerRefused); n < events {
		p.t.Errorf("%d events, and not %d", n, events)
	}
}

// TestIdentity: a server is known by its key; another one in its place is refused, and so is
// a way that proves nothing.
func TestIdentity(t *testing.T) {
	t.Parallel()
	p, address := secured(t, func(*Config) {})
	add := func(addresses ...string) {
		t.Helper()
		if _, _, err := p.client.connections.Add(t.Context(), p.name(), addresses, nil); err != nil {
			t.Fatal(err)
		}
	}
	add(address)
	con, _ := p.client.connections.Get(p.name())
	if !strings.HasPrefix(con.Identities[address], "SHA256:") || p.happened(eventlog.ServerPinned) != 1 {
		t.Errorf("%v", con.Identities)
	}
	if _, _, err := p.client.connections.Refresh(t.Context(), p.name(), []string{p.server.Addrs()[0]}, nil); !errors.Is(err, client.CodeIdentity) {
		t.Errorf("a way without TLS: %v", err)
	}
	p.serverNode.stop()
	if err := os.RemoveAll(filepath.Join(p.serverNode.cfg.Data, "identity")); err != nil {
		t.Fatal(err)
	}
	p.server = p.serverNode.start()
	if _, _, err := p.client.connections.Refresh(t.Context(), p.name(), []string{address}, nil); !errors.Is(err, client.CodeIdentity) {
		t.Errorf("another server: %v", err)
	}
	if n := p.happened(eventlog.ServerRefused); n != 2 {
		t.Errorf("%d events", n)
	}
	if _, err := p.client.connections.Delete(t.Context(), p.name(), nil); err != nil {
		t.Fatal(err)
	}
	add(address) // it was set up anew
}

// TestIdentityByAuthority: a server with a certificate of the authority is known without having
// been met; without the authority in the configuration it is not taken for less.
func TestIdentityByAuthority(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, certificate, key := certify(t, dir)
	p, address := secured(t, func(c *Config) { c.TLS.Certificate, c.TLS.Key = certificate, key })
	p.clientNode.stop()
	p.clientNode.cfg.PointPrint.CA = ca
	p.client = p.clientNode.start()
	if _, _, err := p.client.connections.Add(t.Context(), p.name(), []string{address}, nil); err != nil {
		t.Fatal(err)
	}
	if con, _ := p.client.connections.Get(p.name()); con.Identities[address] != client.ByAuthority {
		t.Errorf("%v", con.Identities)
	}
	p.clientNode.stop()
	p.clientNode.cfg.PointPrint.CA = ""
	p.client = p.clientNode.start()
	p.refused(1, "names no ca now")
	p.clientNode.stop()
	p.clientNode.cfg.PointPrint.CA, _, _ = certify(t, t.TempDir())
	p.client = p.clientNode.start()
	p.refused(2, "no certificate of the given authority")
}

// certify makes an authority and a certificate for this machine.
func certify(t *testing.T, dir string) (ca, certificate, key string) {
	t.Helper()
	make := func(name string, template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, string) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if by == nil {
			by = own
		}
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, own.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return own, path
	}
	authority := &x509.Certificate{Subject: pkix.Name{CommonName: "print"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	by, ca := make("ca.pem", authority, authority, nil)
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "ntprint"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	own, certificate := make("cert.pem", leaf, authority, by)
	der, err := x509.MarshalPKCS8PrivateKey(own)
	key = filepath.Join(dir, "key.pem")
	if err == nil {
		err = os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ca, certificate, key
}
