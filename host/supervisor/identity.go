package supervisor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// clientCertEnv tells a module whose calls it may take.
const clientCertEnv = "PLUGIN_CLIENT_CERT"

// newIdentity makes the host's side of go-plugin's AutoMTLS for one process: a certificate
// that no other process has seen, in PEM for the module, and the TLS that go-plugin
// completes with the module's own certificate. go-plugin's own is on P-521, which costs a
// module that starts again several times what P-256 does.
func newIdentity(now time.Time) (certificate string, config *tls.Config, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, spoolerr.As(err, spoolerr.Internal, "key of the host for a module")
	}
	const age = 30 * 365 * 24 * time.Hour // it ends with the process
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost", Organization: []string{"spoolhost"}},
		DNSNames: []string{"localhost"}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(age),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", nil, spoolerr.As(err, spoolerr.Internal, "certificate of the host for a module")
	}
	own := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		&tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12, ServerName: "localhost"}, nil
}
