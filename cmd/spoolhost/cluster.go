package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoolhost/spoolhost/host"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

const clusterLong = `Make hosts a cluster, and see how it does.

Each node's configuration has a cluster block and a tls: address:

  listen = ["unix:/run/spoolhost/api.sock", "tls:10.0.0.1:6312"]
  cluster {
    name   = "print"                # of the cluster, the same on all nodes
    node   = "print1"               # of this node
    shared = "/srv/print"           # a directory that all nodes have mounted
    listen = "10.0.0.1:6313"        # where the nodes' etcd members meet
  }

The nodes keep what they share in etcd: a member in every host (engine = "embedded", the
default), or an etcd of yours (engine = "external", endpoints, user, password, tls). Use
three nodes or five: more than half of the members must run.

Make the first node with "cluster init", start it with "serve", and let each other node
join with the command that init, and later "cluster token", prints.`

func newClusterCommand(opts *options) *cobra.Command {
	return newGroupCommand("cluster", "Make hosts a cluster", clusterLong,
		`  spoolhost cluster init --config /etc/spoolhost.hcl
  spoolhost cluster join spoolhost-join-... --config /etc/spoolhost.hcl
  spoolhost cluster status`,
		newClusterInitCommand(), newClusterJoinCommand(), newClusterTokenCommand(opts), newClusterStatusCommand(opts), newClusterRemoveCommand(opts))
}

// nodeFlags name a host that does not run.
type nodeFlags struct{ config, data string }

func (f *nodeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.config, "config", "", "the host's configuration file, with its cluster block")
	cmd.Flags().StringVar(&f.data, "data", "", "the host's data directory (default as for serve)")
	_ = cmd.MarkFlagRequired("config")
}

func (f *nodeFlags) hostConfig(cmd *cobra.Command) (host.Config, error) {
	return serveFlags{config: f.config, data: f.data, ipp: "none", logLevel: "info"}.hostConfig(cmd.ErrOrStderr())
}

func newClusterInitCommand() *cobra.Command {
	var f nodeFlags
	cmd := &cobra.Command{
		Use: "init --config FILE", Short: "Make this host the first node of a new cluster",
		Long: `Make the authority of a new cluster and this host its first node. The host must not run.
It prints the command by which the second node joins, within an hour.`,
		Example: "  spoolhost cluster init --config /etc/spoolhost.hcl",
		Args:    cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.hostConfig(cmd)
			if err != nil {
				return err
			}
			token, err := host.InitCluster(cfg)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), `this host is node %s, the first of cluster %s; start it:

  spoolhost serve --config %s

then, within an hour and for one node, on the second host with a cluster block of its own:

  spoolhost cluster join %s --config FILE

"spoolhost cluster token" prints the command for the next.
`, cfg.Cluster.Node, cfg.Cluster.Name, f.config, token)
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

func newClusterJoinCommand() *cobra.Command {
	var f nodeFlags
	cmd := &cobra.Command{
		Use: "join TOKEN --config FILE", Short: "Make this host a further node of a cluster",
		Long: `Ask the cluster that made the token to let this host in. The host must not run; start it
when it has joined. The token says where the cluster is and how to know it, and can be used once.`,
		Example: "  spoolhost cluster join spoolhost-join-eyJpZCI6... --config /etc/spoolhost.hcl",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.hostConfig(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), defaultTimeout)
			defer cancel()
			notices, err := host.JoinCluster(ctx, cfg, args[0])
			if err != nil {
				return err
			}
			for _, n := range notices {
				fmt.Fprintf(cmd.ErrOrStderr(), "notice: %s\n", clean(n))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "this host is node %s of cluster %s; start it:\n\n  spoolhost serve --config %s\n", cfg.Cluster.Node, cfg.Cluster.Name, f.config)
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

func newClusterTokenCommand(opts *options) *cobra.Command {
	var valid time.Duration
	cmd := &cobra.Command{
		Use: "token", Short: "Make a token by which one node may join",
		Long:    "Print the command by which one more host joins.\nWhoever has the token can become a node, and so read and change everything: treat it as a password.",
		Example: "  spoolhost cluster token --valid 15m",
		Args:    cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			if valid < time.Second {
				return usagef("--valid %v is too short; use at least 1s", valid)
			}
			token, err := c.CreateToken(ctx, &apiv1.CreateTokenRequest{ValidSeconds: int64(valid / time.Second)})
			if err != nil {
				return err
			}
			return c.out.object(token, func(b *strings.Builder) {
				fmt.Fprintf(b, "spoolhost cluster join %s --config FILE\n", token.GetToken())
			})
		}),
	}
	cmd.Flags().DurationVar(&valid, "valid", time.Hour, "how long it may be used")
	return cmd
}

func newClusterStatusCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the nodes, and how their etcd does",
		Long: `Show the cluster as the host that is asked sees it: whether etcd has a quorum, who leads,
which nodes answer, whether their clocks agree, and whether they can write to the shared directory
(STORAGE; it is tried twice a minute, and when a job could not be taken). It works without a quorum too.`,
		Example: "  spoolhost cluster status\n  spoolhost cluster status -o json | jq .quorum",
		Args:    cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			status, err := c.GetCluster(ctx, &apiv1.GetClusterRequest{})
			if err != nil {
				return err
			}
			return c.out.object(status, func(b *strings.Builder) { showCluster(b, status, c.out.now()) })
		}),
	}
}

func showCluster(b *strings.Builder, st *apiv1.GetClusterResponse, now time.Time) {
	var s sheet
	s.add("cluster", st.GetCluster())
	s.add("asked", st.GetNode())
	s.add("engine", strings.TrimSpace(st.GetEngine()+" "+strings.Join(st.GetEndpoints(), ", ")))
	if st.GetQuorum() {
		s.add("quorum", "yes")
	} else {
		s.add("quorum", "NO: "+st.GetProblem())
	}
	s.add("shared", st.GetShared())
	s.write(b)
	b.WriteByte('\n')
	t := table{header: []string{"NODE", "ETCD", "ANSWERS", "CLOCK", "STORAGE", "VERSION", "API", "PEER", "JOINED"}}
	for _, m := range st.GetMembers() {
		answers, clock := "yes", "agrees"
		if ahead := time.Duration(m.GetClockAheadMs()) * time.Millisecond; ahead.Abs() >= time.Second {
			clock = fmt.Sprintf("%+.1fs", ahead.Seconds())
		}
		storage := "ok"
		if m.GetStorageProblem() != "" {
			storage = "FAILS"
		}
		if !m.GetReachable() {
			answers, clock, storage = "no", "", ""
		}
		t.add(m.GetNode(), m.GetRole(), answers, clock, storage, m.GetVersion(), m.GetApiAddress(), m.GetPeerAddress(), ago(m.GetJoinedAt(), now))
	}
	t.write(b, "")
	for _, m := range st.GetMembers() {
		if m.GetProblem() != "" {
			fmt.Fprintf(b, "\n%s: %s\n", clean(m.GetNode()), clean(m.GetProblem()))
		}
		if m.GetStorageProblem() != "" {
			fmt.Fprintf(b, "\n%s: does not take jobs for cluster spoolers as it should: %s\n", clean(m.GetNode()), clean(m.GetStorageProblem()))
		}
	}
}

func ago(at *timestamppb.Timestamp, now time.Time) string {
	if at == nil {
		return ""
	}
	return duration(now.Sub(at.AsTime())) + " ago"
}

func newClusterRemoveCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use: "remove NODE", Short: "Take a node out of the cluster for good",
		Long: `Take a node out of the cluster. Its etcd member goes, and its certificate counts no more.
Drain it first if it runs; one that is gone for ever is removed just so.`,
		Example: "  spoolhost cluster remove print3",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: complete(opts, 1, clusterNodeNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			if _, err := c.RemoveNode(ctx, &apiv1.RemoveNodeRequest{Node: args[0]}); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "node %s is no longer in the cluster\n", args[0])
			return nil
		}),
	}
}

// clusterNodeNames are those of all nodes, also of those that are down.
func clusterNodeNames(ctx context.Context, c *client, _ string) ([]cobra.Completion, error) {
	status, err := c.GetCluster(ctx, &apiv1.GetClusterRequest{})
	return offers(status.GetMembers(), (*apiv1.ClusterMember).GetNode, func(m *apiv1.ClusterMember) string {
		if m.GetReachable() {
			return "answers"
		}
		return "does not answer"
	}), err
}
