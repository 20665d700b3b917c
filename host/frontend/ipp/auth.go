package ipp

import (
	"crypto/x509"
	"net/http"
	"net/netip"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
)

// challenge asks a client to prove who it is, or refuses it.
type challenge struct {
	status int
	text   string
}

func (c *challenge) write(w http.ResponseWriter) {
	switch c.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="spoolhost", charset="UTF-8"`)
	case http.StatusUpgradeRequired:
		w.Header().Set("Upgrade", "TLS/1.2")
		w.Header().Set("Connection", "Upgrade")
	}
	http.Error(w, c.text, c.status)
}

// authenticate finds out who calls and whether they may have this operation; nil if so. A
// password goes before a certificate, and that before what the kernel knows.
func (s *Server) authenticate(hr *http.Request, c *conn, r *request) *challenge {
	secret := hr.TLS != nil || r.local // nobody listens in
	name, password, has := hr.BasicAuth()
	switch {
	case has && !secret:
		return &challenge{http.StatusUpgradeRequired, "a password is sent over TLS only; use ipps"}
	case has && s.cfg.Users == nil:
		return &challenge{http.StatusForbidden, "this host has no accounts with passwords"}
	case has:
		caller, right := s.verify(r, name, password)
		if !right {
			return &challenge{http.StatusUnauthorized, "the name or the password is wrong"}
		}
		r.caller = caller
	default:
		r.caller = s.unasked(hr, c, r)
	}
	if refused := s.anonymous(r, secret); refused != nil {
		return refused
	}
	r.user = s.name(r)
	if r.caller.Role >= r.op.role {
		return nil
	}
	return s.ask(secret, r.caller.Name+" may not do "+r.op.name+": it needs the role "+r.op.role.String())
}

// verify checks a password; an address that guesses is slowed down.
func (s *Server) verify(r *request, name, password string) (access.Caller, bool) {
	from, _ := netip.ParseAddr(r.origin)
	if !s.guesses.Left(from) {
		return access.Nobody(), false
	}
	caller, right := s.cfg.Users.Verify(name, password)
	if !right {
		s.guesses.Allow(from)
		s.cfg.Logger.Warn("a wrong password", "user", printable(attr.Cut(name, 64)), "from", r.origin)
	}
	return caller, right
}

// unasked gives who calls by what the connection proves.
func (s *Server) unasked(hr *http.Request, c *conn, r *request) access.Caller {
	if hr.TLS != nil && len(hr.TLS.VerifiedChains) > 0 {
		return s.certified(hr.TLS.VerifiedChains[0][0])
	}
	if r.local {
		return c.who(s.peers)
	}
	return access.Nobody()
}

// certified gives the account of a certificate's common name; one that no account has is
// an ordinary user's.
func (s *Server) certified(cert *x509.Certificate) access.Caller {
	name := printable(attr.Cut(cert.Subject.CommonName, attr.MaxName))
	if s.cfg.Users != nil {
		if caller, ok := s.cfg.Users.Lookup(name); ok {
			return caller
		}
	}
	if name == "" {
		return access.Nobody()
	}
	return access.Caller{UID: -1, Name: name, Account: name}
}

// anonymous refuses a caller who proves nothing and must.
func (s *Server) anonymous(r *request, secret bool) *challenge {
	if r.caller.Known() || s.cfg.Anonymous == AnonymousNetwork || r.local && s.cfg.Anonymous == AnonymousLoopback {
		return nil
	}
	return s.ask(secret, "this host must know who prints")
}

// ask gives a client the chance to prove more.
func (s *Server) ask(secret bool, text string) *challenge {
	switch {
	case s.cfg.Users == nil:
		return &challenge{http.StatusForbidden, text}
	case !secret && s.cfg.TLS != nil:
		return &challenge{http.StatusUpgradeRequired, text + "; use ipps"}
	case !secret:
		return &challenge{http.StatusForbidden, text}
	}
	return &challenge{http.StatusUnauthorized, text}
}

// name gives the name that the caller goes by. One who is not known may call itself as it
// likes; an administrator of this machine, such as another spooler on it, speaks for others.
func (s *Server) name(r *request) string {
	said, _, err := attr.ReadText(r.msg.Operation, "requesting-user-name")
	said = printable(said)
	switch {
	case r.caller.Account != "":
		return r.caller.Account
	case r.caller.Known() && r.caller.Role < access.Administrator:
		return r.caller.Name
	case err == nil && said != "":
		if !r.caller.Known() {
			r.caller.Name = said
		}
		return said
	case r.caller.Known():
		return r.caller.Name
	}
	r.caller.Name = "anonymous"
	return r.caller.Name
}
