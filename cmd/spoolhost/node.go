package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newNodeCommand(opts *options) *cobra.Command {
	return newGroupCommand("node", "List, drain and resume the nodes of a cluster",
		`A node is a host that is part of a cluster. Drain one before its machine is taken down: its cluster
spoolers move to other nodes in order.`,
		`  spoolhost node list
  spoolhost node drain n1`,
		newNodeListCommand(opts), newNodeDrainCommand(opts), newNodeResumeCommand(opts))
}

func newNodeListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the nodes that are there",
		Long:  `List the nodes of the cluster that are there, and the cluster spoolers that each owns.`,
		Example: `  spoolhost node list
  spoolhost node list -o json | jq -r '.[].name'`,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			resp, err := c.ListNodes(ctx, &apiv1.ListNodesRequest{})
			if err != nil {
				return err
			}
			err = list(c.out, resp.GetNodes(), "no nodes", []string{"NODE", "STATE", "ADDRESS", "VERSION", "SPOOLERS"}, func(n *apiv1.ClusterNode) []string {
				name := n.GetName()
				if n.GetSelf() {
					name += " (this one)"
				}
				return []string{name, n.GetState(), n.GetAddress(), n.GetVersion(), strings.Join(n.GetSpoolers(), ", ")}
			})
			if err != nil || c.out.json {
				return err
			}
			return c.out.text(storageText(resp.GetNodes()))
		}),
	}
}

// storageText tells of the nodes that cannot write to the shared directory.
func storageText(nodes []*apiv1.ClusterNode) *strings.Builder {
	var b strings.Builder
	for _, n := range nodes {
		if n.GetStorageProblem() != "" {
			fmt.Fprintf(&b, "\n%s: does not take jobs for cluster spoolers as it should: %s\n", clean(n.GetName()), clean(n.GetStorageProblem()))
		}
	}
	return &b
}

func newNodeDrainCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "drain NAME",
		Short: "Have a node give up its cluster spoolers",
		Long: `Have a node give its cluster spoolers to others, each as "spooler move" does, and take none until
it is resumed. It goes on taking jobs and printing for its own spooler. Only administrators may do
this.`,
		Example: `  spoolhost node drain n1 && spoolhost node list`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: complete(opts, 1, nodeNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if _, err := c.DrainNode(ctx, &apiv1.DrainNodeRequest{Name: args[0]}); err != nil {
				return err
			}
			return c.out.done("node %s is drained; its cluster spoolers move as their documents end: see spoolhost spooler list", args[0])
		}),
	}
}

func newNodeResumeCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "resume NAME",
		Short: "Undo drain",
		Long: `Let a node own cluster spoolers again. None comes back by itself: move it. Only administrators
may do this.`,
		Example: `  spoolhost node resume n1`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: complete(opts, 1, nodeNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if _, err := c.ResumeNode(ctx, &apiv1.ResumeNodeRequest{Name: args[0]}); err != nil {
				return err
			}
			return c.out.done("node %s takes cluster spoolers again", args[0])
		}),
	}
}

func nodeNames(ctx context.Context, c *client, _ string) ([]cobra.Completion, error) {
	resp, err := c.ListNodes(ctx, &apiv1.ListNodesRequest{})
	return offers(resp.GetNodes(), (*apiv1.ClusterNode).GetName, (*apiv1.ClusterNode).GetState), err
}
