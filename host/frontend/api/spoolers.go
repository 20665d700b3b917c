package api

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/cluster"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// spoolersServer serves the cluster's spoolers and nodes.
type spoolersServer struct {
	apiv1.UnimplementedSpoolersServer
	apiv1.UnimplementedNodesServer
	*Server
}

// node gives the host as a member of its cluster.
func (s *Server) node() (*cluster.Node, error) {
	if s.cfg.Cluster == nil {
		return nil, spoolerr.New(spoolerr.Unsupported, spoolerr.CodeNotSupported,
			"this host is not part of a cluster, and has its own spooler only; see spoolhost cluster init")
	}
	return s.cfg.Cluster.Node, nil
}

func (s *spoolersServer) CreateSpooler(ctx context.Context, r *apiv1.CreateSpoolerRequest) (*apiv1.CreateSpoolerResponse, error) {
	n, err := s.node()
	if err != nil {
		return nil, err
	}
	if err := n.Create(ctx, r.GetName(), r.GetPreferredOwners()); err != nil {
		return nil, err
	}
	if err := n.WaitSeen(ctx, r.GetName()); err != nil {
		return nil, err
	}
	view, _ := n.View()
	return &apiv1.CreateSpoolerResponse{ClusterSpooler: showSpooler(view, spool.Fold(r.GetName())), Notices: s.strangers(view, r.GetPreferredOwners())}, nil
}

// strangers tells of preferred owners that are no nodes of the cluster: they may join later,
// but often their names are mistyped.
func (s *spoolersServer) strangers(v cluster.View, preferred []string) (notices []string) {
	for _, name := range preferred {
		_, there := v.Members[spool.Fold(name)]
		if e := s.cfg.Engine; e != nil && !there {
			_, there = e.Nodes()[spool.Fold(name)]
		}
		if !there {
			notices = append(notices, "preferred owner "+spool.Quote(name)+" is no node of the cluster now; see spoolhost node list")
		}
	}
	return notices
}

// current gives the cluster as the node knows it, which it soon does after its start.
func current(ctx context.Context, n *cluster.Node) (cluster.View, error) {
	ctx, cancel := context.WithTimeout(ctx, routePatience)
	defer cancel()
	return n.Current(ctx)
}

func (s *spoolersServer) ListSpoolers(ctx context.Context, _ *apiv1.ListSpoolersRequest) (*apiv1.ListSpoolersResponse, error) {
	n, err := s.node()
	if err != nil {
		return nil, err
	}
	view, err := current(ctx, n)
	if err != nil {
		return nil, err
	}
	resp := &apiv1.ListSpoolersResponse{}
	for _, name := range slices.Sorted(maps.Keys(view.Spoolers)) {
		resp.ClusterSpoolers = append(resp.ClusterSpoolers, knownSpooler(n, view, name))
	}
	s.recount(ctx, view, resp.GetClusterSpoolers())
	return resp, nil
}

func (s *spoolersServer) GetSpooler(ctx context.Context, r *apiv1.GetSpoolerRequest) (*apiv1.GetSpoolerResponse, error) {
	n, err := s.node()
	if err != nil {
		return nil, err
	}
	finding, cancel := context.WithTimeout(ctx, routePatience)
	defer cancel()
	if _, err := n.Find(finding, r.GetName()); err != nil {
		return nil, err
	}
	view, _ := n.View()
	name := spool.Fold(r.GetName())
	shown := knownSpooler(n, view, name)
	s.recount(ctx, view, []*apiv1.ClusterSpooler{shown})
	if m, ok := view.Moves[name]; ok {
		shown.Move = showMove(m)
	}
	return &apiv1.GetSpoolerResponse{ClusterSpooler: shown}, nil
}

func (s *spoolersServer) MoveSpooler(r *apiv1.MoveSpoolerRequest, stream grpc.ServerStreamingServer[apiv1.MoveSpoolerResponse]) error {
	n, err := s.node()
	if err != nil {
		return err
	}
	ctx := stream.Context()
	number, err := n.Move(ctx, r.GetName(), r.GetTo(), callerOf(ctx).Name, r.GetForce())
	if err != nil {
		return err
	}
	return n.WatchMove(ctx, r.GetName(), number, func(m cluster.Move) (more bool, err error) {
		return r.GetWait(), stream.Send(&apiv1.MoveSpoolerResponse{Move: showMove(m)})
	})
}

func (s *spoolersServer) DeleteSpooler(ctx context.Context, r *apiv1.DeleteSpoolerRequest) (*apiv1.DeleteSpoolerResponse, error) {
	n, err := s.node()
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteSpoolerResponse{}, n.Delete(ctx, r.GetName(), r.GetForce())
}

func (s *spoolersServer) ListNodes(ctx context.Context, _ *apiv1.ListNodesRequest) (*apiv1.ListNodesResponse, error) {
	n, err := s.node()
	if err != nil {
		return nil, err
	}
	view, err := current(ctx, n)
	if err != nil {
		return nil, err
	}
	resp := &apiv1.ListNodesResponse{}
	for _, key := range slices.Sorted(maps.Keys(view.Members)) {
		m := view.Members[key]
		state := "online"
		switch {
		case n.Session() == "":
			state = "unknown"
		case m.Leaving:
			state = "stopping"
		case view.Drained[key]:
			state = "drained"
		}
		resp.Nodes = append(resp.Nodes, &apiv1.ClusterNode{
			Name: m.Name, State: state, Address: m.Address, Version: m.Version, Spoolers: view.OwnedBy(m.Name), Self: m.Name == n.Name(), StorageProblem: m.Storage,
		})
	}
	return resp, nil
}

func (s *spoolersServer) DrainNode(ctx context.Context, r *apiv1.DrainNodeRequest) (*apiv1.DrainNodeResponse, error) {
	n, err := s.node()
	if err != nil {
		return nil, err
	}
	return &apiv1.DrainNodeResponse{}, n.Drain(ctx, r.GetName(), true)
}

func (s *spoolersServer) ResumeNode(ctx context.Context, r *apiv1.ResumeNodeRequest) (*apiv1.ResumeNodeResponse, error) {
	n, err := s.node()
	if err != nil {
		return nil, err
	}
	return &apiv1.ResumeNodeResponse{}, n.Drain(ctx, r.GetName(), false)
}

// knownSpooler shows a spooler as far as the node knows: without a lease it may be cut off,
// and what it has seen last may have changed.
func knownSpooler(n *cluster.Node, v cluster.View, name string) *apiv1.ClusterSpooler {
	shown := showSpooler(v, name)
	if n.Session() == "" {
		shown.State, shown.Problems = "unknown", []string{noLease(n)}
	}
	shown.Problems = append(shown.Problems, storageProblems(v)...)
	return shown
}

func noLease(n *cluster.Node) string {
	return "node " + n.Name() + " has no lease: the cluster's etcd has no quorum, or cannot be reached from it; it tries again by itself, see spoolhost cluster status"
}

// showSpooler shows a spooler of a view, by its folded name.
func showSpooler(v cluster.View, name string) *apiv1.ClusterSpooler {
	sp, state := v.Spoolers[name], v.States[name]
	shown := &apiv1.ClusterSpooler{
		Name: sp.Name, PreferredOwners: sp.Preferred, CreatedAt: stamp(sp.Created), State: "no-owner",
		Printers: uint32(state.Printers), Missing: uint32(state.Missing), Jobs: uint32(state.Jobs),
	}
	o, m, owned := v.OwnerOf(name)
	if owned {
		shown.Owner, shown.Epoch, shown.OwnedSince, shown.State = m.Name, o.Epoch, stamp(o.Since), "starting"
		if state.Epoch == o.Epoch {
			shown.State, shown.Problems = cmp.Or(state.State, "starting"), state.Problems
		}
	}
	switch move, ok := v.Moves[name]; {
	case sp.Deleting:
		shown.State = "deleting"
	case ok && !move.Done && owned:
		shown.State = "moving"
	}
	return shown
}

func showMove(m cluster.Move) *apiv1.SpoolerMove {
	shown := &apiv1.SpoolerMove{
		From: m.From, To: m.To, Reason: m.Reason, AskedAt: stamp(m.Asked), WaitsFor: m.Waits, Done: m.Done, Failure: m.Failure,
	}
	for _, s := range m.Steps {
		shown.Steps = append(shown.Steps, &apiv1.MoveStep{Name: s.Name, Node: s.Node, At: stamp(s.At), Text: s.Text})
	}
	return shown
}

func unknownSpooler(name string) error {
	return spoolerr.New(spoolerr.NotFound, 0, "spooler %s does not exist; see spoolhost spooler list", spool.Quote(name))
}
