package supervisor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"runtime"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// clientCertEnv tells a module whose calls it may take.
const clientCertEnv = "PLUGIN_CLIENT_CERT"

// identity is what host and module know each other by: go-plugin's AutoMTLS, with
// certificates that no other process has seen. go-plugin's own are on P-521, which costs
// both sides together 20 ms of processor at each start; these are on P-256.
type identity struct {
	// host is the host's certificate in PEM, for the module. config is the host's TLS,
	// which go-plugin completes with the module's certificate.
	host   string
	config *tls.Config
	// module is a certificate with its key in PEM, which the module may use instead of one
	// of its own making; offered is that certificate as a handshake line has it.
	module  []byte
	offered string
}

func newIdentity(now time.Time) (*identity, error) {
	own, ownPEM, err := newCertificate(now)
	if err != nil {
		return nil, err
	}
	id := &identity{host: string(ownPEM), config: &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12, ServerName: "localhost"}}
	if runtime.GOOS == "windows" { // no descriptor is inherited there
		return id, nil
	}
	theirs, theirsPEM, err := newCertificate(now)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(theirs.PrivateKey)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Internal, "key for a module")
	}
	id.module = append(theirsPEM, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	id.offered = base64.RawStdEncoding.EncodeToString(theirs.Certificate[0])
	return id, nil
}

func newCertificate(now time.Time) (certificate tls.Certificate, text []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate, nil, spoolerr.As(err, spoolerr.Internal, "key for host and module")
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
		return certificate, nil, spoolerr.As(err, spoolerr.Internal, "certificate for host and module")
	}
	certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// hand gives the end of a pipe out of which the module reads its certificate and key: not
// the environment, which the processes that it starts would see. Nil if there is none.
func (id *identity) hand() (*os.File, error) {
	if id.module == nil {
		return nil, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Close() }()
	if _, err := w.Write(id.module); err != nil { // it is less than any pipe holds
		_ = r.Close()
		return nil, err
	}
	return r, nil
}
