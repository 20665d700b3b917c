package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// clusterModuleCommand makes a command about one module of the cluster.
func clusterModuleCommand(opts *options, cmd *cobra.Command, names func(context.Context, *client, string) ([]cobra.Completion, error),
	do func(ctx context.Context, c *call, kind, name string) error,
) *cobra.Command {
	var kind string
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = complete(opts, 1, names)
	cmd.RunE = withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
		return do(ctx, c, kind, args[0])
	})
	kinds := append([]string{wire.KindMonitor}, namedKinds()...)
	cmd.Flags().StringVar(&kind, "kind", wire.KindMonitor, "what it is: "+strings.Join(kinds, ", "))
	completeFlag(cmd, "kind", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newModulePublishCommand(opts *options) *cobra.Command {
	return clusterModuleCommand(opts, &cobra.Command{
		Use:   "publish NAME",
		Short: "Store an installed module in the cluster for other nodes",
		Long: `Store the executable of module NAME, which is installed on this node, on the storage that
the cluster shares, under its SHA-256, with its arguments and settings (not its user). One
of that kind and name is replaced. Which nodes fetch it is each node's own decision: those
whose configuration allows it do so at once, and have it before a print server comes to
them; on others an administrator says "module fetch". Only administrators may do this.`,
		Example: `  spoolhost monitor add "Acme Port" --module /usr/lib/acme/acme-monitor
  spoolhost module publish "Acme Port"`,
	}, monitorNames, func(ctx context.Context, c *call, kind, name string) error {
		resp, err := c.PublishModule(ctx, &apiv1.PublishModuleRequest{Kind: kind, Name: name})
		if err != nil {
			return err
		}
		return results(c.out, []*apiv1.ClusterModule{resp.GetModule()}, true, func(m *apiv1.ClusterModule) string {
			return m.GetKind() + " " + m.GetName() + " is stored in the cluster: sha256:" + m.GetDigest()
		})
	})
}

func newModuleFetchCommand(opts *options) *cobra.Command {
	return clusterModuleCommand(opts, &cobra.Command{
		Use:   "fetch NAME",
		Short: "Install a module of the cluster on this node",
		Long: `Install module NAME of the cluster on the node that is asked, whatever its configuration
says, also in the place of another file: the executable is copied from the shared storage,
must have the SHA-256 of the record, and is asked what it is. A monitor is replaced without
losing a document, as by "monitor upgrade". Only administrators may do this.`,
		Example: `  spoolhost module list --cluster
  spoolhost module fetch "Acme Port"`,
	}, clusterModuleNames, func(ctx context.Context, c *call, kind, name string) error {
		resp, err := c.FetchModule(ctx, &apiv1.FetchModuleRequest{Kind: kind, Name: name})
		if err != nil {
			return err
		}
		return results(c.out, []*apiv1.ClusterModule{resp.GetModule()}, true, func(m *apiv1.ClusterModule) string {
			return m.GetKind() + " " + m.GetName() + " is installed on this node: sha256:" + m.GetDigest()
		})
	})
}

func newModuleWithdrawCommand(opts *options) *cobra.Command {
	return clusterModuleCommand(opts, &cobra.Command{
		Use:   "withdraw NAME",
		Short: "Remove a module from the cluster",
		Long: `Remove module NAME from the storage that the cluster shares. Nodes that have it keep it,
until it is removed there. Only administrators may do this.`,
		Example: `  spoolhost module withdraw "Acme Port"`,
	}, clusterModuleNames, func(ctx context.Context, c *call, kind, name string) error {
		if _, err := c.WithdrawModule(ctx, &apiv1.WithdrawModuleRequest{Kind: kind, Name: name}); err != nil {
			return err
		}
		return c.out.done("%s %s removed from the cluster", kind, name)
	})
}

// listClusterModules is module list --cluster.
func listClusterModules(ctx context.Context, c *call) error {
	resp, err := c.ListClusterModules(ctx, &apiv1.ListClusterModulesRequest{})
	if err != nil {
		return err
	}
	columns := []string{"NAME", "KIND", "VERSION", "PLATFORM", "SHA-256", "FROM", "HERE", "REASON"}
	return list(c.out, resp.GetModules(), "no modules in the cluster", columns, func(m *apiv1.ClusterModule) []string {
		return []string{
			m.GetName(), m.GetKind(), orDash(m.GetModuleVersion()), m.GetPlatform(), m.GetDigest(), m.GetPublishedFrom(), yesNo(m.GetHere()), orDash(m.GetReason()),
		}
	})
}

func clusterModuleNames(ctx context.Context, c *client, _ string) ([]cobra.Completion, error) {
	resp, err := c.ListClusterModules(ctx, &apiv1.ListClusterModulesRequest{})
	return offers(resp.GetModules(), (*apiv1.ClusterModule).GetName, (*apiv1.ClusterModule).GetKind), err
}
