// Package engine is the etcd that a cluster's nodes share: a member inside each host, or a
// cluster of the operator's own, and the administration of its members.
//
// The composition root imports it. It knows nothing of spoolers and owners.
package engine

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Embedded says how a host runs a member of its own.
type Embedded struct {
	// Cluster is the cluster's name, Node the member's.
	Cluster, Node string
	// Dir is where the member keeps its data, Trust where its certificate, authority and
	// key are.
	Dir, Trust, Key string
	// Listen is where the other members reach this one, HOST:PORT.
	Listen string
	// Members are all members at the member's first start: addresses by name.
	Members map[string]string
	// Joins says that the others exist already.
	Joins bool
	// Lease is how long a silent node keeps what it owns, see election.
	Lease time.Duration
	// Lead gives the node that should lead instead of this one; empty for none.
	Lead   func() (node string)
	Logger hclog.Logger
}

// Engine is etcd as a node sees it. Run must run, Close ends it.
type Engine struct {
	// Client asks etcd. It has no endpoints where the member runs in this process.
	Client *clientv3.Client
	member *embed.Etcd // nil for an external one
	lead   func() string
	// removed is what to say when the others do not want the member.
	removed error
	logger  hclog.Logger
	once    sync.Once
}

// Start starts a member. It does not wait for the others: until more than half of the
// members run, whatever is asked of Client fails.
func Start(e Embedded) (*Engine, error) {
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = e.Node, e.Dir
	own := url.URL{Scheme: "https", Host: e.Listen}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{own}, []url.URL{own}
	// This host asks its own member without a socket, and nobody else asks it.
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = nil, []url.URL{{Scheme: "https", Host: e.Listen}}
	cfg.PeerTLSInfo = transport.TLSInfo{
		CertFile: filepath.Join(e.Trust, trust.CertificateFile), KeyFile: e.Key, TrustedCAFile: filepath.Join(e.Trust, trust.CAFile),
		ClientCertAuth: true, SkipClientSANVerify: true,
	}
	cfg.TlsMinVersion, cfg.TlsMaxVersion = "TLS1.3", "TLS1.3"
	cfg.InitialClusterToken, cfg.InitialCluster = e.Cluster, initialCluster(e.Members)
	cfg.ClusterState = embed.ClusterStateFlagNew
	if e.Joins {
		cfg.ClusterState = embed.ClusterStateFlagExisting
	}
	cfg.MaxTxnOps, cfg.MaxRequestBytes = 8192, 8<<20
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModeRevision, "10000"
	cfg.QuotaBackendBytes = 4 << 30
	cfg.PreVote = true
	cfg.TickMs, cfg.ElectionMs = election(e.Lease)
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapTo(e.Logger))
	member, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, startError(e, err)
	}
	return &Engine{Client: v3client.New(member.Server), member: member, lead: e.Lead, removed: removed(e.Node, e.Cluster, filepath.Dir(e.Dir)), logger: e.Logger}, nil
}

func initialCluster(members map[string]string) string {
	var parts []string
	for name, addr := range members {
		parts = append(parts, name+"=https://"+addr)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

func startError(e Embedded, err error) error {
	if strings.Contains(err.Error(), "address already in use") {
		return spoolerr.As(err, spoolerr.Busy, "cluster: address %s is in use; choose another listen in the cluster block", e.Listen)
	}
	if errors.Is(err, rpctypes.ErrMemberNotFound) || strings.Contains(err.Error(), "permanently removed") {
		return removed(e.Node, e.Cluster, filepath.Dir(e.Dir))
	}
	return spoolerr.As(err, spoolerr.Unavailable, "cluster: the etcd member in %s does not start", e.Dir)
}

// removed says that a node is not in the cluster any more, and what to do with what it has
// of it in dir.
func removed(node, cluster, dir string) error {
	return spoolerr.New(spoolerr.Precondition, 0,
		"node %s was removed from cluster %s; to let it join again, remove %s, make a token on another node (spoolhost cluster token), and run spoolhost cluster join with it",
		spool.Quote(node), spool.Quote(cluster), dir)
}

// zapTo sends what etcd has to say to the host's log, from warnings on.
func zapTo(log hclog.Logger) *zap.Logger {
	if log == nil {
		return zap.NewNop()
	}
	return zap.New(&core{log: log.Named("etcd")})
}

// External says how to reach an etcd of the operator's.
type External struct {
	Endpoints []string
	// CA, Certificate and Key are files; empty for none.
	CA, Certificate, Key string
	User, Password       string
}

// Connect makes an engine of it. It does not wait for an answer.
func Connect(e External) (*Engine, error) {
	cfg := clientv3.Config{
		Endpoints: e.Endpoints, Username: e.User, Password: e.Password, Logger: zap.NewNop(),
		DialKeepAliveTime: 3 * time.Second, DialKeepAliveTimeout: 3 * time.Second, AutoSyncInterval: time.Minute,
	}
	if e.CA != "" || e.Certificate != "" {
		info := transport.TLSInfo{CertFile: e.Certificate, KeyFile: e.Key, TrustedCAFile: e.CA}
		tls, err := info.ClientConfig()
		if err != nil {
			return nil, spoolerr.As(err, spoolerr.Invalid, "cluster: the TLS files for etcd")
		}
		cfg.TLS = tls
	}
	client, err := clientv3.New(cfg)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "cluster: etcd at %s", strings.Join(e.Endpoints, ", "))
	}
	return &Engine{Client: client}, nil
}

// Close ends the member, or the connections.
func (e *Engine) Close() {
	e.once.Do(func() {
		_ = e.Client.Close()
		if e.member != nil {
			e.member.Close()
		}
	})
}

// Member is one member of etcd.
type Member struct {
	ID      uint64
	Name    string
	Address string
	// Leader leads. Learner has joined, and is not up to date yet. Started has been seen.
	Leader, Learner, Started bool
}

// Health is how etcd does, as this node sees it.
type Health struct {
	Members []Member
	// Quorum: more than half of the members agree that they are.
	Quorum bool
	// Problem is why there is none.
	Problem string
}

// Health asks.
func (e *Engine) Health(ctx context.Context) Health {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h := Health{Members: e.members(ctx)}
	if _, err := e.Client.Get(ctx, "health"); err != nil && !errors.Is(err, rpctypes.ErrPermissionDenied) {
		h.Problem = "more than half of the members must run and reach each other (" + err.Error() + ")"
		return h
	}
	h.Quorum = true
	return h
}

func (e *Engine) members(ctx context.Context) (list []Member) {
	if e.member != nil {
		s := e.member.Server
		for _, m := range s.Cluster().Members() {
			list = append(list, Member{
				ID: uint64(m.ID), Name: m.Name, Address: address(m.PeerURLs), Leader: s.Leader() == m.ID, Learner: m.IsLearner, Started: m.Name != "",
			})
		}
	} else if reply, err := e.Client.MemberList(ctx); err == nil {
		leader := e.leader(ctx)
		for _, m := range reply.Members {
			list = append(list, Member{ID: m.ID, Name: m.Name, Address: address(m.ClientURLs), Leader: m.ID == leader, Learner: m.IsLearner, Started: m.Name != ""})
		}
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.Name+a.Address, b.Name+b.Address) })
	return list
}

func (e *Engine) leader(ctx context.Context) uint64 {
	for _, endpoint := range e.Client.Endpoints() {
		if st, err := e.Client.Status(ctx, endpoint); err == nil {
			return st.Leader
		}
	}
	return 0
}

func address(urls []string) string {
	if len(urls) == 0 {
		return ""
	}
	u, err := url.Parse(urls[0])
	if err != nil {
		return urls[0]
	}
	return u.Host
}

// Embedded says that the member runs in this process.
func (e *Engine) Embedded() bool { return e.member != nil }

// Add lets a node's member join, and gives all members as it has to know them. One that
// was added before and never started may be added again.
func (e *Engine) Add(ctx context.Context, node, addr string) (members map[string]string, err error) {
	peer := "https://" + addr
	var reply *clientv3.MemberAddResponse
	err = settled(ctx, func() (err error) {
		reply, err = e.Client.MemberAddAsLearner(ctx, []string{peer})
		return err
	})
	var all []*etcdserverpb.Member
	switch {
	case err == nil:
		all = reply.Members
	case errors.Is(err, rpctypes.ErrPeerURLExist):
		list, err := e.Client.MemberList(ctx)
		if err != nil {
			return nil, e.failure(err)
		}
		all = list.Members
	case errors.Is(err, rpctypes.ErrTooManyLearners):
		return nil, spoolerr.As(err, spoolerr.Busy, "another node is joining; wait until spoolhost cluster status shows it as a member")
	case errors.Is(err, rpctypes.ErrUnhealthy), errors.Is(err, rpctypes.ErrMemberNotEnoughStarted):
		return nil, spoolerr.As(err, spoolerr.Unavailable, "the cluster is not healthy enough to take a node; see spoolhost cluster status, and retry")
	default:
		return nil, e.failure(err)
	}
	members = make(map[string]string)
	for _, m := range all {
		switch {
		case address(m.PeerURLs) == addr && m.Name != "" && m.Name != node:
			return nil, spoolerr.New(spoolerr.Exists, 0, "node %s has the address %s already; give the new node another listen", spool.Quote(m.Name), addr)
		case address(m.PeerURLs) == addr:
			members[node] = addr
		case m.Name != "":
			members[m.Name] = address(m.PeerURLs)
		default:
			return nil, spoolerr.New(spoolerr.Busy, 0, "the member at %s has joined and was not started yet; start that host, or remove it with spoolhost cluster remove", address(m.PeerURLs))
		}
	}
	return members, nil
}

// Remove takes the member of a node out, by its name or, if it was never started, its
// address.
func (e *Engine) Remove(ctx context.Context, node, addr string) error {
	for _, m := range e.members(ctx) {
		if m.Name == node || m.Name == "" && m.Address == addr {
			err := settled(ctx, func() error {
				if _, err := e.Client.MemberRemove(ctx, m.ID); !errors.Is(err, rpctypes.ErrMemberNotFound) {
					return err
				}
				return nil
			})
			if err != nil {
				return e.failure(err)
			}
		}
	}
	return nil
}

// settled asks again while etcd has just changed: it lets nobody in or out before all
// members have been connected for five seconds, and an address that was removed has the same
// id again within its second.
func settled(ctx context.Context, ask func() error) error {
	const patience, between = 20 * time.Second, 500 * time.Millisecond
	unsettled := []error{rpctypes.ErrUnhealthy, rpctypes.ErrMemberNotEnoughStarted, rpctypes.ErrTooManyLearners, rpctypes.ErrMemberNotFound}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ask()
		if err == nil || !slices.ContainsFunc(unsettled, func(u error) bool { return errors.Is(err, u) }) {
			return err
		}
		again := time.NewTimer(between)
		select {
		case <-ctx.Done():
			again.Stop()
			return err
		case <-again.C:
		}
	}
}

func (e *Engine) failure(err error) error {
	return spoolerr.As(err, spoolerr.Unavailable, "the cluster's etcd did not change its members; see spoolhost cluster status, and retry")
}
