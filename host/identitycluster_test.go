//go:build unix

package host

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/host/trust"
)

// asNode gives the server of a pair the certificate that it would have as a node of a cluster,
// for a new key, and starts it anew.
func (p *pair) asNode(name string, authority *trust.Authority) {
	p.t.Helper()
	must := func(err error) {
		if err != nil {
			p.t.Helper()
			p.t.Fatal(err)
		}
	}
	dir := p.t.TempDir()
	identity, err := trust.OpenIdentity(filepath.Join(dir, "identity"), nil)
	must(err)
	der, err := authority.Issue(name, identity.Key.Public(), []string{"127.0.0.1"})
	must(err)
	chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Cert.Raw})...)
	tls := &p.serverNode.cfg.TLS
	tls.Certificate, tls.Key = filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	must(os.WriteFile(tls.Certificate, chain, 0o600))
	must(trust.WriteKey(tls.Key, identity.Key))
	p.serverNode.stop()
	p.server = p.serverNode.start()
}

// TestIdentityOfCluster: a node of a cluster is known by the cluster's authority. So any of its
// nodes may answer, at any address, also at one that was never met; a node of another cluster
// may not, and neither may a key of nobody's.
func TestIdentityOfCluster(t *testing.T) {
	t.Parallel()
	ours, err := trust.NewAuthority("print")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := trust.NewAuthority("print")
	if err != nil {
		t.Fatal(err)
	}
	p, address := secured(t, func(*Config) {})
	p.serverNode.cfg.Listen = append(p.serverNode.cfg.Listen, "tls:127.0.0.1:0")
	p.asNode("one", ours)
	if _, _, err := p.client.connections.Add(t.Context(), p.name(), []string{address}, nil); err != nil {
		t.Fatal(err)
	}
	if con, _ := p.client.connections.Get(p.name()); con.Identities[address] != client.OfCluster+trust.Fingerprint(ours.Cert) {
		t.Errorf("pinned as %v", con.Identities)
	}

	p.asNode("two", ours)
	if _, _, err := p.client.connections.Refresh(t.Context(), p.name(), nil, nil); err != nil {
		t.Errorf("another node of the cluster: %v", err)
	}
	another := p.server.Addrs()[2]
	if _, _, err := p.client.connections.Refresh(t.Context(), p.name(), []string{another}, nil); err != nil {
		t.Errorf("a node at another address: %v", err)
	}

	p.asNode("one", theirs)
	p.refused(1, "is not of the cluster that is meant")
	p.serverNode.cfg.TLS.Certificate, p.serverNode.cfg.TLS.Key = "", ""
	p.serverNode.stop()
	p.server = p.serverNode.start()
	p.refused(1, "is not of the cluster that is meant")
	p.asNode("three", ours)
	if _, _, err := p.client.connections.Refresh(t.Context(), p.name(), nil, nil); err != nil {
		t.Errorf("the cluster is there again: %v", err)
	}
}

// TestMixedUpAddresses: who asks for TLS where there is none, or for none where there is, gets
// one line that names the server, the address and the one to give instead.
func TestMixedUpAddresses(t *testing.T) {
	t.Parallel()
	p, secure := secured(t, func(*Config) {})
	plain := p.server.Addrs()[0]
	for address, remedy := range map[string]string{
		strings.TrimPrefix(secure, "tls:"): "its address is " + secure,
		"tls:" + plain:                     "speaks without TLS; give the address of the host's tls: listener, or " + plain,
	} {
		_, _, err := p.client.connections.Add(t.Context(), p.name(), []string{address}, nil)
		if err == nil || !strings.Contains(err.Error(), `server "NTPRINT" at `+address) || !strings.Contains(err.Error(), remedy) ||
			strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "desc =") {
			t.Errorf("%s: %v", address, err)
		}
		if errors.Is(err, client.CodeIdentity) {
			t.Errorf("%s: a mistake is taken for an attack", address)
		}
	}
}
