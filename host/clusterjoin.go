package host

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spoolhost/spoolhost/host/cluster/engine"
	"github.com/spoolhost/spoolhost/host/dial"
	"github.com/spoolhost/spoolhost/host/frontend/api"
	"github.com/spoolhost/spoolhost/host/trust"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// InitCluster makes this host the first node of a cluster, and gives a token for the
// second. The host must not run.
func InitCluster(cfg Config) (token string, retErr error) {
	c, lock, err := clusterSetup(&cfg)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	authority, err := trust.NewAuthority(c.Name)
	if err != nil {
		return "", err
	}
	identity, request, err := clusterIdentity(cfg)
	if err != nil {
		return "", err
	}
	certificate, err := authority.Sign(c.Node, request)
	if err != nil {
		return "", err
	}
	if err := engine.ClaimShared(c.Shared, authority); err != nil {
		return "", err
	}
	m := memberRecord{Cluster: c.Name, Node: c.Node, Engine: c.Engine}
	if c.Engine == EngineEmbedded {
		m.Members = map[string]string{c.Node: c.Listen}
	}
	if err := saveMember(cfg.Data, m, trust.Membership{Authority: authority, Certificate: certificate}); err != nil {
		return "", err
	}
	r := engine.Roster{Cluster: c.Name, Self: engine.Node{API: c.Advertise, Key: identity.Fingerprint()}, Authority: authority, Now: time.Now}
	token, _, err = r.Token(0)
	return token, err
}

// clusterSetup checks that the host is in no cluster and does not run.
func clusterSetup(cfg *Config) (*ClusterConfig, *os.File, error) {
	c := cfg.Cluster
	if c == nil {
		return nil, nil, spoolerr.New(spoolerr.Invalid, 0, "the configuration has no cluster block; write one first, see spoolhost cluster --help")
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil || cfg.Data == "" {
		return nil, nil, spoolerr.New(spoolerr.Invalid, 0, "no data directory is given; use --data DIR")
	}
	cfg.Data = data
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, nil, spoolerr.As(err, spoolerr.Unavailable, "data directory %s", cfg.Data)
	}
	if _, err := os.Stat(filepath.Join(clusterDir(cfg.Data), memberFile)); err == nil {
		return nil, nil, spoolerr.New(spoolerr.Exists, 0, "this host is in a cluster already; to begin anew, stop it, have it removed there, and remove %s", clusterDir(cfg.Data))
	}
	// What a member that was removed has left must not be taken for the new one's.
	if err := os.RemoveAll(clusterDir(cfg.Data)); err != nil {
		return nil, nil, spoolerr.As(err, spoolerr.Unavailable, "directory %s", clusterDir(cfg.Data))
	}
	lock, err := lockData(cfg.Data)
	return c, lock, err
}

func clusterIdentity(cfg Config) (*trust.Identity, []byte, error) {
	identity, err := trust.OpenIdentity(identityDir(cfg.Data), nil)
	if err != nil {
		return nil, nil, err
	}
	names := append([]string{}, cfg.TLS.Names...)
	for _, addr := range []string{cfg.Cluster.Listen, cfg.Cluster.Advertise} {
		if host, _, err := net.SplitHostPort(addr); err == nil {
			names = append(names, host)
		}
	}
	request, err := identity.Request(cfg.Cluster.Node, names)
	return identity, request, err
}

// JoinCluster makes this host a further node of a cluster. The host must not run. It gives
// what its operator should know.
func JoinCluster(ctx context.Context, cfg Config, text string) (notices []string, err error) {
	token, err := trust.ParseToken(text)
	if err != nil {
		return nil, err
	}
	c, lock, err := clusterSetup(&cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }()
	if token.Cluster != c.Name {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "the token is for cluster %s, and the cluster block says %s; correct one of them", spool.Quote(token.Cluster), spool.Quote(c.Name))
	}
	_, request, err := clusterIdentity(cfg)
	if err != nil {
		return nil, err
	}
	random := rand.Text()
	marker := engine.MarkerName(random[:10])
	remove, err := engine.MakeMarker(c.Shared, marker, random)
	if err != nil {
		return nil, err
	}
	defer remove()
	conn, err := dial.New(dial.Target{Network: "tls", Address: token.Address}, dial.Options{Authority: token.Authority})
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	reply, err := apiv1.NewClusterClient(conn).JoinCluster(ctx, &apiv1.JoinClusterRequest{
		Token: text, Node: c.Node, SigningRequest: request, PeerAddress: c.Listen, ApiAddress: c.Advertise, Version: cfg.Version,
		Level: engine.Level, Engine: c.Engine, Marker: marker, MarkerText: random, Now: api.Stamp(time.Now()),
	})
	if err != nil {
		return nil, spoolerr.Wrap(spoolgrpc.FromStatus(err), "the node at %s", token.Address)
	}
	if err := engine.CheckAnswer(c.Shared, marker, random); err != nil {
		return nil, spoolerr.Wrap(err, "the node is admitted, and cannot work so; once it can, run the same command again")
	}
	authority, err := trust.ParseAuthority(reply.GetAuthority())
	if err != nil {
		return nil, err
	}
	m := memberRecord{Cluster: c.Name, Node: c.Node, Engine: c.Engine, Members: reply.GetMembers(), Joined: true}
	return reply.GetNotices(), saveMember(cfg.Data, m, trust.Membership{Authority: authority, Certificate: reply.GetCertificate()})
}
