package host

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/cluster/engine"
	"github.com/spoolhost/spoolhost/host/dial"
	"github.com/spoolhost/spoolhost/host/frontend/api"
	"github.com/spoolhost/spoolhost/host/store/etcd"
	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// clusterEngine is what a node shares with others: etcd, the roster, and connections to
// other nodes.
type clusterEngine struct {
	host   *Host
	engine *engine.Engine
	store  *etcd.Store
	roster *engine.Roster
	pair   *tls.Certificate
	clocks *clocks
	// admitted is closed when the cluster has said that this node is one of it.
	admitted chan struct{}
	// broken is closed when etcd's member has ended by itself.
	broken chan struct{}

	mu    sync.Mutex
	nodes map[string]engine.Node // nil: not known yet
	conns map[string]*grpc.ClientConn
}

// openEngine starts what the node shares with others. It waits for nobody.
func (h *Host) openEngine() error {
	c := h.cfg.Cluster
	if c == nil {
		return nil
	}
	if h.secure == nil {
		return spoolerr.New(spoolerr.Invalid, 0, "a node of a cluster is reached by TLS; give --listen tls:HOST:PORT too")
	}
	member, t, err := loadMember(c, h.cfg.Data)
	if err != nil {
		return err
	}
	if err := engine.CheckShared(c.Shared, t.Authority); err != nil {
		return err
	}
	identity, err := trust.OpenIdentity(identityDir(h.cfg.Data), nil)
	if err != nil {
		return err
	}
	e := &clusterEngine{host: h, admitted: make(chan struct{}), broken: make(chan struct{}), conns: make(map[string]*grpc.ClientConn)}
	if e.pair, err = identity.NodePair(t.Certificate, t.Authority); err != nil {
		return err
	}
	if e.engine, err = startEngine(h, member); err != nil {
		return err
	}
	h.engine = e
	e.store = etcd.Open(e.engine.Client, etcd.Options{Prefix: "/spoolhost/" + c.Name + "/", Writer: c.Node, Committed: h.metrics.Committed, LeaderChanged: e.engine.LeaderChanged()})
	e.roster = &engine.Roster{
		Cluster: c.Name, Kind: c.Engine, Dir: clusterDir(h.cfg.Data), Shared: c.Shared, Authority: t.Authority, Engine: e.engine, Store: e.store, Now: h.cfg.Now,
		Self: engine.Node{Name: c.Node, Peer: c.Listen, API: c.Advertise, Version: h.cfg.Version, Joined: h.cfg.Now().UTC(), Key: identity.Fingerprint()},
	}
	e.clocks = newClocks(e)
	if h.cfg.TLS.Certificate == "" { // its own certificate is now the cluster's, for the same key
		h.secure.Certificate = func() *tls.Certificate { return e.pair }
	}
	h.secure.NodeCA = func() *x509.CertPool { return t.Authority.Pool() }
	h.secure.KnowsNode = e.knows
	h.cfg.Membership = &Membership{
		Node: c.Node, Address: c.Advertise, Store: e.store, Leases: e.store.Leases(), TTL: c.Lease, Shared: c.Shared, Modules: c.Modules,
		Storage:  &engine.Storage{Dir: c.Shared, Node: c.Node, Authority: t.Authority},
		Dial:     func(m cluster.Member) (grpc.ClientConnInterface, error) { return e.Dial(m.Name, m.Address) },
		FromNode: func(ctx context.Context) bool { return api.NodeOf(ctx) != "" },
	}
	return nil
}

func startEngine(h *Host, m memberRecord) (*engine.Engine, error) {
	c := h.cfg.Cluster
	if c.Engine == EngineExternal {
		return engine.Connect(c.External)
	}
	dir := clusterDir(h.cfg.Data)
	return engine.Start(engine.Embedded{
		Cluster: c.Name, Node: c.Node, Dir: filepath.Join(dir, "etcd"), Trust: dir, Key: filepath.Join(identityDir(h.cfg.Data), "key.pem"),
		Listen: c.Listen, Members: m.Members, Joins: m.Joined, Lease: c.Lease, Lead: h.lightest, Logger: h.cfg.Logger,
	})
}

// lightest gives the node that should lead etcd instead of this one.
func (h *Host) lightest() string {
	if h.cluster == nil {
		return ""
	}
	return h.cluster.node.Lightest()
}

// knows says whether a node is one of the cluster. Before the list is known, its
// certificate is enough.
func (e *clusterEngine) knows(node string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, known := e.nodes[spool.Fold(node)]
	return known || e.nodes == nil
}

// known gives the nodes as they were last read.
func (e *clusterEngine) known() map[string]engine.Node {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.nodes)
}

// run keeps the node in the cluster until ctx ends. It fails if the cluster does not have
// this node.
func (e *clusterEngine) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var work sync.WaitGroup
	defer work.Wait()
	failed := make(chan error, 1)
	work.Go(func() {
		if err := e.engine.Run(ctx); err != nil {
			failed <- err
			close(e.broken)
			stop()
		}
	})
	work.Go(func() { e.clocks.run(ctx) })
	err := e.follow(ctx)
	stop()
	select {
	case ended := <-failed:
		return ended
	default:
		return err
	}
}

// awaitAdmitted waits until the cluster has said whether this node is one of it, but no longer
// than a moment if nobody says so. It is false if the host has failed or is to stop.
func (e *clusterEngine) awaitAdmitted(ctx context.Context, failed <-chan struct{}) bool {
	if e == nil {
		return true
	}
	const moment = 3 * time.Second
	t := time.NewTimer(moment)
	defer t.Stop()
	select {
	case <-e.admitted:
	case <-t.C:
	case <-e.broken:
		return false
	case <-failed:
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

// follow writes this node down, and keeps the list of nodes.
func (e *clusterEngine) follow(ctx context.Context) error {
	w := e.roster.Watch()
	defer w.Close()
	for said := false; ; {
		err := e.roster.Admit(ctx)
		if err == nil {
			close(e.admitted)
			break
		}
		if !errors.Is(err, spoolerr.Unavailable) && ctx.Err() == nil {
			return err
		}
		if !said {
			e.host.cfg.Logger.Warn("the cluster cannot be reached yet", "error", err)
			said = true
		}
		if !wait(ctx, time.Second) {
			return nil
		}
	}
	for {
		nodes, err := e.roster.Nodes(ctx)
		if err == nil {
			e.mu.Lock()
			e.nodes = nodes
			e.mu.Unlock()
			if _, in := nodes[spool.Fold(e.roster.Self.Name)]; !in {
				return e.roster.Removed()
			}
			if _, err = w.Next(ctx); err != nil {
				return nil
			}
			continue
		}
		if !wait(ctx, time.Second) {
			return nil
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Dial gives a connection to another node's API, which is kept.
func (e *clusterEngine) Dial(node, address string) (grpc.ClientConnInterface, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := spool.Fold(node) + " " + address
	if conn := e.conns[key]; conn != nil {
		return conn, nil
	}
	conn, err := dial.New(dial.Target{Network: "tls", Address: address}, dial.Options{
		Roots: e.roster.Authority.Pool(), ServerName: node, Certificate: e.pair,
	})
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Invalid, "address %s of node %s", address, spool.Quote(node))
	}
	e.conns[key] = conn
	return conn, nil
}

// Close gives back what openEngine opened.
func (e *clusterEngine) Close() error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	for _, conn := range e.conns {
		_ = conn.Close()
	}
	e.conns = make(map[string]*grpc.ClientConn)
	e.mu.Unlock()
	if e.store != nil {
		_ = e.store.Close()
	}
	e.engine.Close()
	return nil
}

// api is what the API serves of it.
func (e *clusterEngine) api() *api.ClusterEngine {
	if e == nil {
		return nil
	}
	return &api.ClusterEngine{Roster: e.roster, Endpoints: e.host.cfg.Cluster.Endpoints, Nodes: e.known, Dial: e.Dial, ClockProblem: e.clocks.problem}
}
