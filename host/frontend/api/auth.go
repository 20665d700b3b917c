package api

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/spoolhost/spoolhost/host/dial"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// caller is who is at the other end of a connection.
type caller struct {
	credentials.CommonAuthInfo
	access.Caller
}

// AuthType implements credentials.AuthInfo.
func (caller) AuthType() string { return "peer" }

// peerCredentials identifies a caller: on a connection of a Secure listener over TLS, on
// others by what the kernel says of its socket. Those carry no encryption: Unix sockets and
// loopback need none.
type peerCredentials struct {
	access.Identifier
	secure *access.Secure
}

func newPeerCredentials(operators string, secure *access.Secure) credentials.TransportCredentials {
	return &peerCredentials{access.Identifier{Operators: operators}, secure}
}

// Secure marks the connections of a listener for TLS.
func Secure(l net.Listener) net.Listener { return secureListener{l} }

type secureListener struct{ net.Listener }

type secureConn struct{ net.Conn }

// Accept implements net.Listener.
func (l secureListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return secureConn{conn}, nil
}

// ServerHandshake identifies the caller.
func (p *peerCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if raw, ok := conn.(secureConn); ok {
		protected, who, err := p.secure.Handshake(context.Background(), raw.Conn)
		if err != nil {
			return nil, nil, err
		}
		return protected, caller{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, who}, nil
	}
	return conn, caller{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}, p.Identify(conn)}, nil
}

// ClientHandshake is not used: this side only serves.
func (p *peerCredentials) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, caller{Caller: access.Nobody()}, nil
}

// Info implements credentials.TransportCredentials.
func (p *peerCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "peer"}
}

// Clone implements credentials.TransportCredentials.
func (p *peerCredentials) Clone() credentials.TransportCredentials { c := *p; return &c }

// OverrideServerName implements credentials.TransportCredentials.
func (p *peerCredentials) OverrideServerName(string) error { return nil }

// accountKey is where a context holds the caller that a password has proved.
type accountKey struct{}

func callerOf(ctx context.Context) caller {
	if c, ok := ctx.Value(carriedKey{}).(caller); ok {
		return c // another node has said so
	}
	if c, ok := ctx.Value(accountKey{}).(caller); ok {
		return c
	}
	if p, ok := peer.FromContext(ctx); ok {
		if c, ok := p.AuthInfo.(caller); ok {
			return c
		}
	}
	return caller{Caller: access.Nobody()}
}

// authenticate looks for whom another node asks, and for an account's name and password,
// which count on TLS only.
func (s *Server) authenticate(ctx context.Context) (context.Context, error) {
	ctx, err := s.carried(ctx)
	if err != nil {
		return ctx, err
	}
	given := metadata.ValueFromIncomingContext(ctx, "authorization")
	c := callerOf(ctx)
	if len(given) == 0 || c.SecurityLevel != credentials.PrivacyAndIntegrity {
		return ctx, nil
	}
	name, password, ok := dial.Account(given[0])
	if !ok {
		return ctx, spoolerr.New(spoolerr.Invalid, 0, "the request's authorization is not of the form Basic NAME:PASSWORD")
	}
	p, _ := peer.FromContext(ctx)
	proved, err := s.cfg.Secure.Verify(p.Addr, name, password)
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, accountKey{}, caller{c.CommonAuthInfo, proved}), nil
}

// authorize refuses a method that needs a greater role. Methods on jobs are open to all
// and look at the job's owner themselves.
func authorize(ctx context.Context, method string) error {
	c := callerOf(ctx)
	need, known := needs()[method]
	if !known {
		need = access.Administrator // a method that nobody classified is not for everybody
	}
	if c.Role >= need {
		return nil
	}
	return spoolgrpc.ToStatus(spoolerr.New(spoolerr.Denied, 0,
		"%s is %s; %s needs the role %s: ask an administrator of this host", c.Name, article(c.Role), method[1:], need))
}

func article(r access.Role) string {
	if r == access.User {
		return "a user"
	}
	return "an " + r.String()
}

func (s *Server) authorizeUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, err := s.authenticate(ctx)
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	if err := authorize(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	resp, err := next(ctx, req)
	return resp, spoolgrpc.ToStatus(err)
}

func (s *Server) authorizeStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, err := s.authenticate(stream.Context())
	if err != nil {
		return spoolgrpc.ToStatus(err)
	}
	if err := authorize(ctx, info.FullMethod); err != nil {
		return err
	}
	return spoolgrpc.ToStatus(next(srv, accountStream{stream, ctx}))
}

// accountStream is a stream whose context knows the account.
type accountStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // as grpc.ServerStream has it
}

// Context implements grpc.ServerStream.
func (s accountStream) Context() context.Context { return s.ctx }
