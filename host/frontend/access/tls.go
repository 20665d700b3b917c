package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// ServerTLS makes the configuration of a server. Without a certificate of the operator's
// it uses one of its own making, which it keeps in dir for as long as it is valid, so that
// clients who have come to trust it still do.
func ServerTLS(certificate, key, clientCA, dir string, names []string) (*tls.Config, error) {
	if certificate == "" {
		certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
		if err := ensureCertificate(certificate, key, names); err != nil {
			return nil, err
		}
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Invalid, "certificate %s with key %s", certificate, key)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clientCA == "" {
		return cfg, nil
	}
	data, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.NotFound, "client_ca %s", clientCA)
	}
	if cfg.ClientCAs, err = ReadAuthorities("client_ca "+clientCA, data); err != nil {
		return nil, err
	}
	cfg.ClientAuth = tls.VerifyClientCertIfGiven
	return cfg, nil
}

// ensureCertificate makes a certificate unless there is one that is still good for a month.
func ensureCertificate(certificate, key string, names []string) error {
	const month = 30 * 24 * time.Hour
	if pair, err := tls.LoadX509KeyPair(certificate, key); err == nil && time.Until(pair.Leaf.NotAfter) > month {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(certificate), 0o700); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "directory %s", filepath.Dir(certificate))
	}
	cert, private, err := makeCertificate(names)
	if err == nil {
		err = os.WriteFile(key, private, 0o600)
	}
	if err == nil {
		err = os.WriteFile(certificate, cert, 0o644) //nolint:gosec // everybody may see it
	}
	return spoolerr.As(err, spoolerr.Unavailable, "the host's own certificate %s", certificate)
}

// makeCertificate makes a certificate that the host signs itself, for its names and
// addresses.
func makeCertificate(names []string) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	const valid = 5 * 365 * 24 * time.Hour
	own, _ := os.Hostname()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: own, Organization: []string{"spoolhost"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    append([]string{"localhost", own, own + ".local"}, names...), IPAddresses: ownAddresses(),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	packed, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: packed}), nil
}

func ownAddresses() []net.IP {
	list := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() {
			list = append(list, ip.IP)
		}
	}
	return list
}
