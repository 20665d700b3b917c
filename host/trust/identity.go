// Package trust is how hosts and clients know each other over a network: a host's identity
// key, fingerprints, the file of pinned hosts, and the authority of a cluster with its
// certificates and join tokens.
//
// The front ends, the cluster, clients of the API and the command line import it. It opens
// no connections.
package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Identity is a host's key, with a certificate that the host signs itself. The key is what
// others know it by; certificates come and go.
type Identity struct {
	Key  crypto.Signer
	Pair tls.Certificate
}

// OpenIdentity reads the identity in a directory, and makes it if there is none. Names are
// further names of the host beside those it knows of itself.
func OpenIdentity(dir string, names []string) (*Identity, error) {
	path := filepath.Join(dir, "key.pem")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "identity directory %s", dir)
	}
	key, err := ReadKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return nil, err
	}
	der, err := selfSigned(key, names)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Internal, "certificate for %s", path)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Internal, "certificate for %s", path)
	}
	return &Identity{Key: key, Pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}, nil
}

// Fingerprint is how people compare identities.
func (i *Identity) Fingerprint() string { return Fingerprint(i.Pair.Leaf) }

// Fingerprint is the SHA-256 of a certificate's public key, in the form that ssh uses.
func Fingerprint(cert *x509.Certificate) string {
	return keyFingerprint(cert.RawSubjectPublicKeyInfo)
}

func keyFingerprint(publicKey []byte) string {
	sum := sha256.Sum256(publicKey)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// ClusterOf gives the fingerprint of the cluster's authority that a host shows beside its own
// certificate, if that comes from it. Authorities of others are none: whoever has a
// certificate of theirs may be anybody.
func ClusterOf(certs []*x509.Certificate) (fingerprint string, ok bool) {
	for _, ca := range certs[min(1, len(certs)):] {
		if !slices.Equal(ca.Subject.Organization, []string{clusterOrganization}) || ca.CheckSignatureFrom(ca) != nil {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(ca)
		if _, err := certs[0].Verify(x509.VerifyOptions{Roots: roots}); err == nil {
			return Fingerprint(ca), true
		}
	}
	return "", false
}

func makeKey(path string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Internal, "identity key")
	}
	return key, WriteKey(path, key)
}

// WriteKey keeps a private key in a file that only its owner may read.
func WriteKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "key %s", path)
	}
	return WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// ReadKey reads what WriteKey wrote. That there is no file is fs.ErrNotExist.
func ReadKey(path string) (crypto.Signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "key %s", path)
	}
	if block, _ := pem.Decode(data); block != nil {
		if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := parsed.(crypto.Signer); ok {
				return key, nil
			}
		}
	}
	return nil, spoolerr.New(spoolerr.Corrupt, 0, "key %s is damaged; restore it, or remove it to be given a new one (others will not know this host any more)", path)
}

// WriteFile writes a file so that a crash leaves the old one or the new one.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "file %s cannot be written", path)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return spoolerr.As(err, spoolerr.Unavailable, "file %s cannot be written", path)
}

// selfSigned makes a certificate for the host's names and addresses.
func selfSigned(key crypto.Signer, names []string) ([]byte, error) {
	const valid = 10 * 365 * 24 * time.Hour
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: hostName(), Organization: []string{"spoolhost"}},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(valid), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	addNames(t, names)
	return x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
}

// addNames gives a certificate the host's names and addresses, and further ones.
func addNames(t *x509.Certificate, names []string) {
	own := hostName()
	for _, name := range append([]string{"localhost", own, own + ".local"}, names...) {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	t.IPAddresses = append(t.IPAddresses, net.IPv4(127, 0, 0, 1), net.IPv6loopback)
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() {
			t.IPAddresses = append(t.IPAddresses, ip.IP)
		}
	}
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return big.NewInt(time.Now().UnixNano())
	}
	return n
}
