// Package dial is how every client of the API reaches a host: the command line, client
// spoolers, benchmarks and other nodes.
//
//	target, err := dial.Parse("tls:print.example.com:6312")
//	conn, err := dial.New(target, dial.Options{Pins: &trust.Pins{Path: file}})
//	printers := apiv1.NewPrintersClient(conn)
//
// Three forms of address are known: unix:PATH and, on the same machine, HOST:PORT, where
// the kernel says who calls; and tls:HOST:PORT, where the host proves who it is by an
// authority (Options.Roots), by one fingerprint (Options.Fingerprint) or by the one it
// had before (Options.Pins), and the client by a certificate, by name and password, or
// not at all. It makes no requests.
package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Timeout bounds one try to connect.
const Timeout = 10 * time.Second

// Target is where a host listens.
type Target struct {
	// Network is "unix", "tcp" or "tls".
	Network string
	// Address is a path, or HOST:PORT.
	Address string
}

// String is the form that Parse reads.
func (t Target) String() string {
	if t.Network == "tcp" {
		return t.Address
	}
	return t.Network + ":" + t.Address
}

// Parse reads unix:PATH, tls:HOST:PORT or HOST:PORT.
func Parse(s string) (Target, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		path = strings.TrimPrefix(path, "//") // unix:///PATH, as URLs have it
		if path == "" {
			return Target{}, badTarget(s)
		}
		return Target{Network: "unix", Address: path}, nil
	}
	rest, secure := strings.CutPrefix(s, "tls:")
	host, port, err := net.SplitHostPort(rest)
	if err != nil || port == "" || secure && host == "" {
		return Target{}, badTarget(s)
	}
	if secure {
		return Target{Network: "tls", Address: rest}, nil
	}
	return Target{Network: "tcp", Address: rest}, nil
}

func badTarget(s string) error {
	return spoolerr.New(spoolerr.Invalid, 0,
		"address %q is neither unix:PATH, tls:HOST:PORT nor HOST:PORT, such as unix:/run/spoolhost/api.sock, tls:print.example.com:6312 or 127.0.0.1:6310", s)
}

// Options say how the two ends of a tls: address know each other. One of Roots,
// Authority, Fingerprint and Pins must be set; the first that is set counts.
type Options struct {
	// Roots are the authorities that the host's certificate must come from.
	Roots *x509.CertPool
	// ServerName, if set, stands in the certificate instead of the address's host.
	ServerName string
	// Authority is the fingerprint of the authority that the host's certificate must come
	// from, where the host shows it beside its own.
	Authority string
	// Fingerprint is the one identity that is accepted.
	Fingerprint string
	// Pins remembers the identities of hosts that were met.
	Pins *trust.Pins
	// Certificate, if set, proves who the client is.
	Certificate *tls.Certificate
	// User and Password are an account of the host.
	User, Password string
}

// New prepares a connection; the first request makes it. More are further options, of
// which grpc.WithContextDialer must be none.
func New(t Target, o Options, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///spoolhost", append(o.Grpc(t, func(ctx context.Context) (net.Conn, error) {
		return o.Conn(ctx, t)
	}), more...)...)
}

// Grpc are the options of a gRPC connection whose bytes go through the function, which
// calls Conn.
func (o Options) Grpc(t Target, through func(context.Context) (net.Conn, error)) []grpc.DialOption {
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()), // TLS is the dialer's, whose errors can be read
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return through(ctx) }),
		grpc.WithNoProxy(), // a proxy for the web is none for a print host
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: Timeout}),
	}
	if t.Network == "tls" && o.User != "" {
		opts = append(opts, grpc.WithPerRPCCredentials(password(o.User+":"+o.Password)))
	}
	return opts
}

// password is an account, sent with every request. It is used on TLS only.
type password string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (p password) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(p))}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. The transport is
// secure, but gRPC does not know.
func (password) RequireTransportSecurity() bool { return false }

// Conn connects, and over TLS makes sure whom it has reached.
func (o Options) Conn(ctx context.Context, t Target) (net.Conn, error) {
	network := t.Network
	if network == "tls" {
		network = "tcp"
	}
	raw, err := (&net.Dialer{Timeout: Timeout}).DialContext(ctx, network, t.Address)
	if err != nil {
		return nil, err
	}
	if t.Network != "tls" {
		return &unheard{Conn: raw}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	conn := tls.Client(raw, o.TLS(t))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, HandshakeError(t, err)
	}
	return conn, nil
}

// TLS is the configuration of a connection to the target.
func (o Options) TLS(t Target) *tls.Config {
	host, _, _ := net.SplitHostPort(t.Address)
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: host, NextProtos: []string{"h2"}, RootCAs: o.Roots}
	if o.ServerName != "" {
		cfg.ServerName = o.ServerName
	}
	if o.Certificate != nil {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return o.Certificate, nil }
	}
	if o.Roots == nil {
		cfg.InsecureSkipVerify = true //nolint:gosec // the key itself is compared
		cfg.VerifyConnection = func(state tls.ConnectionState) error {
			if o.Authority != "" {
				return verifyAuthority(t.Address, o.Authority, state.PeerCertificates)
			}
			return o.verify(t.Address, trust.Fingerprint(state.PeerCertificates[0]))
		}
	}
	return cfg
}

// verifyAuthority makes sure that the first certificate comes from the authority, which is
// among the others.
func verifyAuthority(addr, fingerprint string, certs []*x509.Certificate) error {
	for _, ca := range certs[1:] {
		if trust.Fingerprint(ca) != fingerprint {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(ca)
		if _, err := certs[0].Verify(x509.VerifyOptions{Roots: roots}); err == nil {
			return nil
		}
	}
	return spoolerr.New(spoolerr.Denied, 0, "the host at %s is not of the cluster that is meant (authority %s): it is another host, or somebody stands between", addr, fingerprint)
}

func (o Options) verify(addr, fingerprint string) error {
	switch {
	case o.Fingerprint == fingerprint:
		return nil
	case o.Fingerprint != "":
		return spoolerr.New(spoolerr.Denied, 0, "the host at %s has the identity %s, not %s: it is another host, or somebody stands between", addr, fingerprint, o.Fingerprint)
	case o.Pins != nil:
		return o.Pins.Check(addr, fingerprint)
	}
	return spoolerr.New(spoolerr.Invalid, 0, "nothing says how to know the host at %s; give an authority (--ca) or a file of known hosts", addr)
}

// HandshakeError explains why there is no TLS with a target.
func HandshakeError(t Target, err error) error {
	var known *spoolerr.Error
	var plain tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &plain):
		return spoolerr.New(spoolerr.Unavailable, 0, "what listens at %s speaks without TLS; give the address of the host's tls: listener, or %s for the plain one of this machine", t, t.Address)
	case errors.As(err, &authority):
		return spoolerr.As(err, spoolerr.Denied, "the host at %s has no certificate of the given authority (--ca)", t.Address)
	case errors.As(err, &name):
		return spoolerr.As(err, spoolerr.Denied, "the certificate of the host at %s is for another name; use a name that stands in it", t.Address)
	}
	return spoolerr.As(err, spoolerr.Unavailable, "no TLS 1.3 with %s; is it the address of a host's tls: listener?", t.Address)
}

// Account gives the name and password of an "authorization" value of User and Password.
func Account(header string) (user, secret string, ok bool) {
	encoded, isBasic := strings.CutPrefix(header, "Basic ")
	text, err := base64.StdEncoding.DecodeString(encoded)
	if !isBasic || err != nil {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}
