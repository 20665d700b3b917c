package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Secure identifies those who call over TLS: by a certificate, else by name and password,
// else they are nobody.
type Secure struct {
	// Certificate gives what the host proves itself with.
	Certificate func() *tls.Certificate
	// ClientCA are the authorities whose certificates prove who calls; nil for none.
	ClientCA *x509.CertPool
	// NodeCA gives the cluster's authority, whose certificates are of nodes; nil for none.
	NodeCA func() *x509.CertPool
	// KnowsNode says whether a node is in the cluster; nil: all of its certificates are.
	KnowsNode func(name string) bool
	// Users are the accounts; nil for none.
	Users *Users
	// Guesses slows down an address that guesses passwords.
	Guesses *Rates
}

// Handshake makes a connection secure and says who is at its other end.
func (s *Secure) Handshake(ctx context.Context, raw net.Conn) (*tls.Conn, Caller, error) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn := tls.Server(raw, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, ClientAuth: tls.RequestClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.Certificate(), nil },
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, Nobody(), err
	}
	return conn, s.certified(conn.ConnectionState().PeerCertificates), nil
}

// certified gives who a certificate belongs to. That the caller has its key, TLS has made
// sure of; whether anything follows from it is decided here. One of an unknown authority
// is worth nothing.
func (s *Secure) certified(certs []*x509.Certificate) Caller {
	if len(certs) == 0 {
		return Nobody()
	}
	name := certs[0].Subject.CommonName
	if name == "" || len(name) > 255 {
		return Nobody()
	}
	if s.NodeCA != nil && from(certs, s.NodeCA()) {
		if s.KnowsNode != nil && !s.KnowsNode(name) {
			return Nobody()
		}
		return Caller{UID: -1, Name: "node " + name, Role: Administrator, Node: name}
	}
	if !from(certs, s.ClientCA) {
		return Nobody()
	}
	if s.Users != nil {
		if caller, ok := s.Users.Lookup(name); ok {
			return caller
		}
	}
	return Caller{UID: -1, Name: name, Account: name}
}

// from says whether a certificate comes from the authorities.
func from(certs []*x509.Certificate, authorities *x509.CertPool) bool {
	if authorities == nil {
		return false
	}
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{
		Roots: authorities, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}

// Verify gives the account of a name and its password.
func (s *Secure) Verify(remote net.Addr, name, password string) (Caller, error) {
	var addr netip.Addr
	if ap, err := netip.ParseAddrPort(remote.String()); err == nil {
		addr = ap.Addr()
	}
	switch {
	case s.Users == nil:
		return Nobody(), spoolerr.New(spoolerr.Denied, 0, "this host has no accounts with passwords; its configuration names none (tls: users)")
	case !s.Guesses.Left(addr):
		return Nobody(), spoolerr.New(spoolerr.Exhausted, 0, "too many wrong passwords from %s; wait ten seconds", addr)
	}
	caller, right := s.Users.Verify(name, password)
	if !right {
		s.Guesses.Allow(addr)
		return Nobody(), spoolerr.New(spoolerr.Denied, 0, "user %s or the password is wrong", spool.Quote(name))
	}
	return caller, nil
}

// ReadAuthorities reads a file of certificates in PEM.
func ReadAuthorities(path string, data []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "%s holds no certificate in PEM", path)
	}
	return pool, nil
}
