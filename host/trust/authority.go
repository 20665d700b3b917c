package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Authority is a cluster's: it makes the certificates of nodes, and the tokens by which
// they join. Every node has it, so that any of them can let another in.
type Authority struct {
	Cert *x509.Certificate
	key  crypto.Signer
}

// clusterOrganization tells the certificates of clusters' authorities from others.
const clusterOrganization = "spoolhost cluster"

// NewAuthority makes the authority of a cluster.
func NewAuthority(cluster string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Internal, "key of the cluster")
	}
	const valid = 20 * 365 * 24 * time.Hour
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: cluster, Organization: []string{clusterOrganization}},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(valid), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Internal, "certificate of the cluster")
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{Cert: cert, key: key}, err
}

// ParseAuthority reads what Marshal gave.
func ParseAuthority(data []byte) (*Authority, error) {
	a := &Authority{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			a.Cert, _ = x509.ParseCertificate(block.Bytes)
		case "PRIVATE KEY":
			key, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
			a.key, _ = key.(crypto.Signer)
		}
	}
	if a.Cert == nil || a.key == nil {
		return nil, spoolerr.New(spoolerr.Corrupt, 0, "the cluster's authority is damaged; let the node join again")
	}
	return a, nil
}

// Marshal gives certificate and key in PEM.
func (a *Authority) Marshal() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Internal, "key of the cluster")
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...), nil
}

// Pool is the authority as the only one.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.Cert)
	return p
}

// Issue makes a node's certificate for its public key. It stands for the node's name, which
// is both its common name and a DNS name, so that nodes know each other by names and not
// by addresses.
func (a *Authority) Issue(node string, public crypto.PublicKey, names []string) (certificate []byte, err error) {
	const valid = 10 * 365 * 24 * time.Hour
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: node, Organization: []string{"spoolhost node"}},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(valid),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	addNames(t, append([]string{node}, names...))
	der, err := x509.CreateCertificate(rand.Reader, t, a.Cert, public, a.key)
	return der, spoolerr.As(err, spoolerr.Internal, "certificate of node %s", node)
}

// Request makes a signing request for the identity, under the names that others reach the
// node by.
func (i *Identity) Request(node string, names []string) ([]byte, error) {
	t := &x509.Certificate{}
	addNames(t, names)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: node}, DNSNames: t.DNSNames, IPAddresses: t.IPAddresses,
	}, i.Key)
	return der, spoolerr.As(err, spoolerr.Internal, "signing request of node %s", node)
}

// Sign issues a certificate for a signing request, under the node's name and not the
// request's own.
func (a *Authority) Sign(node string, request []byte) (certificate []byte, err error) {
	r, err := x509.ParseCertificateRequest(request)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Invalid, "the signing request of node %s is damaged", node)
	}
	names := r.DNSNames
	for _, ip := range r.IPAddresses {
		names = append(names, ip.String())
	}
	return a.Issue(node, r.PublicKey, names)
}

// RequestFingerprint is the Fingerprint of the identity that a signing request is for. That
// it has the key, Sign has made sure of.
func RequestFingerprint(request []byte) (string, error) {
	r, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return "", spoolerr.As(err, spoolerr.Invalid, "the signing request is damaged")
	}
	return keyFingerprint(r.RawSubjectPublicKeyInfo), nil
}

// NodePair is what a node proves itself with: its certificate for the identity's key, and the
// authority's, by which one who joins knows the cluster.
func (i *Identity) NodePair(certificate []byte, a *Authority) (*tls.Certificate, error) {
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Corrupt, "the node's certificate is damaged; let the node join again")
	}
	public, ok := i.Key.Public().(*ecdsa.PublicKey)
	if !ok || !public.Equal(leaf.PublicKey) {
		return nil, spoolerr.New(spoolerr.Corrupt, 0, "the node's certificate is not for its identity key; let the node join again")
	}
	return &tls.Certificate{Certificate: [][]byte{certificate, a.Cert.Raw}, PrivateKey: i.Key, Leaf: leaf}, nil
}

// Token lets one node join, once, for a while. Whoever has it can be a node.
type Token struct {
	ID      string    `json:"id"`
	Expires time.Time `json:"exp"`
	// Cluster is its name, Authority its fingerprint, Address where a node answers.
	Cluster   string `json:"cluster"`
	Authority string `json:"ca"`
	Address   string `json:"addr"`
}

const tokenPrefix = "spoolhost-join-"

// Token makes a token. Clocks of nodes may differ by a few minutes.
func (a *Authority) Token(cluster, address string, expires time.Time) (string, error) {
	body, err := json.Marshal(Token{
		ID: serial().Text(36), Expires: expires.UTC().Truncate(time.Second), Cluster: cluster,
		Authority: Fingerprint(a.Cert), Address: address,
	})
	if err != nil {
		return "", spoolerr.As(err, spoolerr.Internal, "join token")
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	return tokenPrefix + text + "." + a.seal(text), nil
}

// ParseToken reads a token without knowing whether it is genuine: that only the cluster
// can tell.
func ParseToken(token string) (Token, error) {
	var t Token
	text, _, sealed := strings.Cut(strings.TrimPrefix(token, tokenPrefix), ".")
	body, err := base64.RawURLEncoding.DecodeString(text)
	if !sealed || !strings.HasPrefix(token, tokenPrefix) || err != nil || json.Unmarshal(body, &t) != nil || t.ID == "" || t.Authority == "" {
		return t, spoolerr.New(spoolerr.Invalid, 0, "this is not a join token; take the whole word that spoolhost cluster token prints")
	}
	return t, nil
}

// Check reads a token and makes sure that it is genuine and has not run out.
func (a *Authority) Check(token string, now time.Time) (Token, error) {
	t, err := ParseToken(token)
	if err != nil {
		return t, err
	}
	text, seal, _ := strings.Cut(strings.TrimPrefix(token, tokenPrefix), ".")
	switch {
	case !hmac.Equal([]byte(seal), []byte(a.seal(text))):
		return t, spoolerr.New(spoolerr.Denied, 0, "the join token is not one of this cluster; make one with spoolhost cluster token")
	case now.After(t.Expires):
		return t, spoolerr.New(spoolerr.Denied, 0, "the join token ran out at %s; make another with spoolhost cluster token", t.Expires.Format(time.RFC3339))
	}
	return t, nil
}

// seal is a token's proof, by a key that only the cluster can derive.
func (a *Authority) seal(text string) string {
	der, _ := x509.MarshalPKCS8PrivateKey(a.key)
	key := sha256.Sum256(append([]byte("spoolhost join token\x00"), der...))
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// The files of a node's membership, in its directory.
const (
	authorityFile = "authority.pem" // with its key
	// CAFile and CertificateFile are what etcd reads.
	CAFile          = "ca.pem"
	CertificateFile = "node.pem"
)

// Membership is what a node keeps of the cluster's trust.
type Membership struct {
	Authority   *Authority
	Certificate []byte
}

// Save keeps it in a directory.
func (m Membership) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "directory %s", dir)
	}
	data, err := m.Authority.Marshal()
	if err == nil {
		err = WriteFile(filepath.Join(dir, authorityFile), data, 0o600)
	}
	if err == nil {
		err = WriteFile(filepath.Join(dir, CAFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Authority.Cert.Raw}), 0o600)
	}
	if err == nil {
		err = WriteFile(filepath.Join(dir, CertificateFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Certificate}), 0o600)
	}
	return err
}

// LoadMembership reads what Save kept. That there is none is fs.ErrNotExist.
func LoadMembership(dir string) (m Membership, err error) {
	data, err := os.ReadFile(filepath.Join(dir, authorityFile))
	if err != nil {
		return m, spoolerr.As(err, spoolerr.NotFound, "this host is in no cluster yet")
	}
	if m.Authority, err = ParseAuthority(data); err != nil {
		return m, err
	}
	if data, err = os.ReadFile(filepath.Join(dir, CertificateFile)); err != nil {
		return m, spoolerr.As(err, spoolerr.NotFound, "this host is in no cluster yet")
	}
	if block, _ := pem.Decode(data); block != nil {
		m.Certificate = block.Bytes
		return m, nil
	}
	return m, spoolerr.New(spoolerr.Corrupt, 0, "the node's certificate in %s is damaged; let the node join again", dir)
}
