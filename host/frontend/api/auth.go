package api

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

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

// peerCredentials identifies a caller by what the kernel says of its socket. It carries
// no encryption: Unix sockets and loopback need none, and others are not listened on.
type peerCredentials struct{ access.Identifier }

func newPeerCredentials(operators string) credentials.TransportCredentials {
	return &peerCredentials{access.Identifier{Operators: operators}}
}

// ServerHandshake identifies the caller; it reads and writes nothing.
func (p *peerCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
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

func callerOf(ctx context.Context) caller {
	if p, ok := peer.FromContext(ctx); ok {
		if c, ok := p.AuthInfo.(caller); ok {
			return c
		}
	}
	return caller{Caller: access.Nobody()}
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

func authorizeUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := authorize(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	resp, err := next(ctx, req)
	return resp, spoolgrpc.ToStatus(err)
}

func authorizeStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := authorize(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return spoolgrpc.ToStatus(next(srv, stream))
}
