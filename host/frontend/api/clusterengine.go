package api

import (
	"context"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/cluster/engine"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// ClusterEngine is what the nodes of a cluster share.
type ClusterEngine struct {
	Roster    *engine.Roster
	Endpoints []string
	// Nodes gives the nodes in the cluster by folded name, as this one last knew them.
	Nodes func() map[string]engine.Node
	// Dial gives a connection to another node's API; it is kept by the giver.
	Dial func(node, address string) (grpc.ClientConnInterface, error)
	// ClockProblem says what is wrong with the clock of this node; empty for nothing.
	ClockProblem func() string
}

type clusterServer struct {
	apiv1.UnimplementedClusterServer
	*Server
}

func (s *clusterServer) roster() (*engine.Roster, error) {
	if s.cfg.Engine == nil {
		return nil, spoolerr.New(spoolerr.Unsupported, 0, "this host is in no cluster; see spoolhost cluster --help")
	}
	return s.cfg.Engine.Roster, nil
}

// NodeOf gives the name of the node of this cluster that calls; empty if none does.
func NodeOf(ctx context.Context) string { return callerOf(ctx).Node }

func (s *clusterServer) GetNode(context.Context, *apiv1.GetNodeRequest) (*apiv1.GetNodeResponse, error) {
	r, err := s.roster()
	if err != nil {
		return nil, err
	}
	return &apiv1.GetNodeResponse{Node: r.Self.Name, Cluster: r.Cluster, Version: s.cfg.Info.Version, Now: Stamp(r.Now()), StorageProblem: s.storageProblem()}, nil
}

func (s *Server) storageProblem() string {
	if s.cfg.Cluster == nil {
		return ""
	}
	return s.cfg.Cluster.StorageProblem()
}

func (s *clusterServer) GetCluster(ctx context.Context, _ *apiv1.GetClusterRequest) (*apiv1.GetClusterResponse, error) {
	r, err := s.roster()
	if err != nil {
		return nil, err
	}
	health := r.Engine.Health(ctx)
	resp := &apiv1.GetClusterResponse{
		Cluster: r.Cluster, Node: r.Self.Name, Engine: r.Kind, Quorum: health.Quorum, Problem: health.Problem, Shared: r.Shared, Endpoints: s.cfg.Engine.Endpoints,
	}
	nodes := map[string]engine.Node{spool.Fold(r.Self.Name): r.Self}
	if health.Quorum {
		if nodes, err = r.Nodes(ctx); err != nil {
			return nil, err
		}
	}
	seen := make(map[string]bool)
	for _, m := range health.Members {
		if r.Kind != "embedded" {
			break
		}
		n := find(nodes, m)
		seen[spool.Fold(n.Name)] = true
		resp.Members = append(resp.Members, &apiv1.ClusterMember{Node: n.Name, PeerAddress: m.Address, ApiAddress: n.API, Version: n.Version, Role: role(m), JoinedAt: stamp(n.Joined)})
	}
	for name, n := range nodes {
		if !seen[name] {
			member := &apiv1.ClusterMember{Node: n.Name, PeerAddress: n.Peer, ApiAddress: n.API, Version: n.Version, JoinedAt: stamp(n.Joined)}
			if r.Kind == "embedded" {
				member.Role = "no member"
			}
			resp.Members = append(resp.Members, member)
		}
	}
	s.reach(ctx, r, resp.GetMembers())
	return resp, nil
}

// find gives the node of a member of etcd.
func find(nodes map[string]engine.Node, m engine.Member) engine.Node {
	for _, n := range nodes {
		if m.Name != "" && spool.Fold(n.Name) == spool.Fold(m.Name) || m.Name == "" && n.Peer == m.Address {
			return n
		}
	}
	return engine.Node{Name: m.Name}
}

func role(m engine.Member) string {
	switch {
	case m.Leader:
		return "leader"
	case !m.Started:
		return "not started"
	case m.Learner:
		return "joining"
	}
	return "member"
}

// reach asks every node for itself.
func (s *clusterServer) reach(ctx context.Context, r *engine.Roster, members []*apiv1.ClusterMember) {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var asking sync.WaitGroup
	for _, m := range members {
		if m.GetNode() == r.Self.Name {
			m.Reachable, m.Version, m.StorageProblem = true, s.cfg.Info.Version, s.storageProblem()
			continue
		}
		if m.GetApiAddress() == "" {
			continue
		}
		asking.Go(func() { s.ask(ctx, r, m) })
	}
	asking.Wait()
}

func (s *clusterServer) ask(ctx context.Context, r *engine.Roster, m *apiv1.ClusterMember) {
	conn, err := s.cfg.Engine.Dial(m.GetNode(), m.GetApiAddress())
	before := r.Now()
	var reply *apiv1.GetNodeResponse
	if err == nil {
		reply, err = apiv1.NewClusterClient(conn).GetNode(ctx, &apiv1.GetNodeRequest{})
	}
	if err != nil {
		text := spoolgrpc.FromStatus(err).Error()
		m.Problem = "does not answer: " + strings.Trim(text[max(0, strings.LastIndex(text, "dial ")):], `"`)
		return
	}
	between := before.Add(r.Now().Sub(before) / 2)
	m.Reachable, m.Version, m.ClockAheadMs = true, reply.GetVersion(), reply.GetNow().AsTime().Sub(between).Milliseconds()
	m.StorageProblem = reply.GetStorageProblem()
	if ahead := time.Duration(m.GetClockAheadMs()) * time.Millisecond; ahead.Abs() > engine.MaxSkew {
		m.Problem = engine.SkewText("node "+m.GetNode(), ahead)
	}
}

func (s *clusterServer) CreateToken(_ context.Context, req *apiv1.CreateTokenRequest) (*apiv1.CreateTokenResponse, error) {
	r, err := s.roster()
	if err != nil {
		return nil, err
	}
	token, expires, err := r.Token(time.Duration(req.GetValidSeconds()) * time.Second)
	if err != nil {
		return nil, err
	}
	return &apiv1.CreateTokenResponse{Token: token, ExpiresAt: stamp(expires)}, nil
}

func (s *clusterServer) JoinCluster(ctx context.Context, req *apiv1.JoinClusterRequest) (*apiv1.JoinClusterResponse, error) {
	r, err := s.roster()
	if err != nil {
		return nil, err
	}
	adm, err := r.Join(ctx, engine.Application{
		Token: req.GetToken(), Request: req.GetSigningRequest(), Level: int(req.GetLevel()), Engine: req.GetEngine(),
		Node:   engine.Node{Name: req.GetNode(), Peer: req.GetPeerAddress(), API: req.GetApiAddress(), Version: req.GetVersion()},
		Marker: req.GetMarker(), MarkerText: req.GetMarkerText(), Time: req.GetNow().AsTime(),
	})
	if err != nil {
		return nil, err
	}
	return &apiv1.JoinClusterResponse{Cluster: r.Cluster, Certificate: adm.Certificate, Authority: adm.Authority, Members: adm.Members, Notices: adm.Notices}, nil
}

// RemoveNode removes a node that has nothing, or is gone: the documents of one that is
// there would be interrupted.
func (s *clusterServer) RemoveNode(ctx context.Context, req *apiv1.RemoveNodeRequest) (*apiv1.RemoveNodeResponse, error) {
	r, err := s.roster()
	if err != nil {
		return nil, err
	}
	n, err := s.node()
	if err != nil {
		return nil, err
	}
	view, err := current(ctx, n)
	if err != nil {
		return nil, err
	}
	if owned := view.OwnedBy(req.GetNode()); len(owned) > 0 {
		return nil, spoolerr.New(spoolerr.Busy, 0, "node %s is there and owns %s; drain it first (spoolhost node drain %s), or end its host",
			spool.Quote(req.GetNode()), strings.Join(owned, ", "), req.GetNode())
	}
	if err := r.Remove(ctx, req.GetNode()); err != nil {
		return nil, err
	}
	return &apiv1.RemoveNodeResponse{}, n.Drain(ctx, req.GetNode(), false) // another of its name is not drained
}
