package api

import (
	"context"
	"net"
	"os"
	"os/user"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// role is what a caller may do; a greater one may do all that a smaller one may.
type role int

const (
	roleUser     role = iota // prints, and sees and handles own jobs
	roleOperator             // handles printers' states and everybody's jobs
	roleAdministrator
)

func (r role) String() string {
	return [...]string{"user", "operator", "administrator"}[r]
}

// caller is who is at the other end of a connection.
type caller struct {
	credentials.CommonAuthInfo
	uid  int64 // -1 if it is not known
	name string
	role role
}

// AuthType implements credentials.AuthInfo.
func (caller) AuthType() string { return "peer" }

// mayHandle says whether the caller may see and change a job.
func (c caller) mayHandle(j *job.Job) bool {
	return c.role >= roleOperator || c.uid >= 0 && c.uid == j.UID
}

// peerCredentials identifies a caller by what the kernel says of its socket. It carries
// no encryption: Unix sockets and loopback need none, and others are not listened on.
type peerCredentials struct {
	operators string // name of the group, or empty
	lookupUID func(net.Conn) (int64, error)
}

func newPeerCredentials(operators string) credentials.TransportCredentials {
	return &peerCredentials{operators: operators, lookupUID: peerUID}
}

// ServerHandshake identifies the caller; it reads and writes nothing.
func (p *peerCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	uid, err := p.lookupUID(conn)
	if err != nil {
		uid = -1
	}
	c := caller{uid: uid, name: "nobody", CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}
	if uid >= 0 {
		c.name, c.role = p.identify(uid)
	}
	return conn, c, nil
}

func (p *peerCredentials) identify(uid int64) (string, role) {
	name := "uid " + strconv.FormatInt(uid, 10)
	u, err := user.LookupId(strconv.FormatInt(uid, 10))
	if err == nil {
		name = u.Username
	}
	switch {
	case uid == 0 || uid == int64(os.Getuid()):
		return name, roleAdministrator
	case err == nil && p.operators != "" && inGroup(u, p.operators):
		return name, roleOperator
	}
	return name, roleUser
}

func inGroup(u *user.User, group string) bool {
	g, err := user.LookupGroup(group)
	if err != nil {
		return false
	}
	ids, err := u.GroupIds()
	if err != nil {
		return false
	}
	for _, id := range ids {
		if id == g.Gid {
			return true
		}
	}
	return false
}

// ClientHandshake is not used: this side only serves.
func (p *peerCredentials) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, caller{uid: -1}, nil
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
	return caller{uid: -1, name: "nobody"}
}

// authorize refuses a method that needs a greater role. Methods on jobs are open to all
// and look at the job's owner themselves.
func authorize(ctx context.Context, method string) error {
	c := callerOf(ctx)
	need, known := needs()[method]
	if !known {
		need = roleAdministrator // a method that nobody classified is not for everybody
	}
	if c.role >= need {
		return nil
	}
	return spoolgrpc.ToStatus(spoolerr.New(spoolerr.Denied, 0,
		"%s is %s; %s needs the role %s: ask an administrator of this host", c.name, article(c.role), method[1:], need))
}

func article(r role) string {
	if r == roleUser {
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
