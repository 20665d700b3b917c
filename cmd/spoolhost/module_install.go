package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

func newModuleAddCommand(opts *options) *cobra.Command {
	req := &apiv1.AddModuleRequest{}
	cmd := &cobra.Command{
		Use:   "add NAME --kind KIND --module PATH [-- ARGS...]",
		Short: "Install a module that others name",
		Long: `Install the executable PATH as module NAME. The kinds are
  monitorui   the user interface of a port monitor, which names it when it is asked for MonitorUI
  pointprint  a Point and Print module, named by the value Module of a printer's CopyFiles key
  driver      the event module of printer drivers, named by "spoolhost driver add --module"
The host launches it once and asks what it is, then pins its SHA-256: a file that changes
later is not run. Monitors themselves are installed by "spoolhost monitor add".

PATH is a file of the host's machine; a relative one is taken from the current directory.
Only administrators may do this. After an upgrade of the file, remove and add it again.`,
		Example: `  spoolhost module add acmeui --kind monitorui --module /usr/lib/acme/acme-ui
  spoolhost module add acmecolor --kind pointprint --module /usr/lib/acme/acme-color`,
		Args:              argsBeforeDash(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			path, err := filepath.Abs(req.Module)
			if err != nil {
				return err
			}
			resp, err := c.AddModule(ctx, &apiv1.AddModuleRequest{
				Name: args[0], Kind: req.Kind, Module: path, Args: args[1:],
				Digest: strings.ToLower(strings.TrimPrefix(req.Digest, "sha256:")),
			})
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.Module{resp.GetModule()}, true, func(m *apiv1.Module) string {
				return "module " + m.GetName() + " installed: " + m.GetModuleName() + " " + m.GetModuleVersion()
			})
		}),
	}
	cmd.Flags().StringVar(&req.Kind, "kind", "", "what it is: "+strings.Join(namedKinds(), ", "))
	cmd.Flags().StringVar(&req.Module, "module", "", "path of the executable")
	cmd.Flags().StringVar(&req.Digest, "digest", "", "SHA-256 that the executable must have, in hex")
	completeFlag(cmd, "kind", cobra.FixedCompletions(namedKinds(), cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "digest", cobra.NoFileCompletions)
	require(cmd, "kind")
	require(cmd, "module")
	return cmd
}

// namedKinds are the kinds of modules that are installed here.
func namedKinds() []string { return []string{wire.KindMonitorUI, wire.KindPointPrint, wire.KindDriver} }

func newModuleListCommand(opts *options) *cobra.Command {
	var cluster bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the installed modules that others name",
		Long: `List user interfaces of monitors, Point and Print modules and event modules of drivers, in order of name.
Monitors are listed by "spoolhost monitor list". With --cluster, list the modules of all kinds
that are stored in the cluster, whether this node has them and, if not, why.`,
		Example:           "  spoolhost module list\n  spoolhost module list --cluster",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			if cluster {
				return listClusterModules(ctx, c)
			}
			resp, err := c.ListModules(ctx, &apiv1.ListModulesRequest{})
			if err != nil {
				return err
			}
			return list(c.out, resp.GetModules(), "no modules", []string{"NAME", "KIND", "VERSION", "MODULE"}, func(m *apiv1.Module) []string {
				return []string{m.GetName(), m.GetKind(), orDash(m.GetModuleVersion()), m.GetModule()}
			})
		}),
	}
	cmd.Flags().BoolVar(&cluster, "cluster", false, "list what is stored in the cluster")
	return cmd
}

func newModuleShowCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a module",
		Long:              "Show one module: its kind, which file it runs, and the SHA-256 that the file must have.",
		Example:           "  spoolhost module show tcpmonui",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(opts, 1, moduleNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.GetModule(ctx, &apiv1.GetModuleRequest{Name: args[0]})
			if err != nil {
				return err
			}
			m := resp.GetModule()
			return c.out.object(m, func(b *strings.Builder) {
				var s sheet
				s.add("module", m.GetName())
				s.add("kind", m.GetKind())
				s.add("file", strings.Join(append([]string{m.GetModule()}, m.GetArgs()...), " "))
				s.add("SHA-256", m.GetDigest())
				s.add("calls itself", strings.TrimSpace(m.GetModuleName()+" "+m.GetModuleVersion()))
				s.add("comes with the host", yesNo(m.GetBuiltin()))
				s.add("added", localTime(m.GetAddedAt()))
				s.write(b)
			})
		}),
	}
}

func newModuleRemoveCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Short:             "Uninstall a module",
		Long:              "Uninstall a module. A dialogue or a call that runs in it goes on. Only administrators may do this.",
		Example:           "  spoolhost module remove acmeui",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(opts, 1, moduleNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if _, err := c.RemoveModule(ctx, &apiv1.RemoveModuleRequest{Name: args[0]}); err != nil {
				return err
			}
			return c.out.done("module %s removed", args[0])
		}),
	}
}

func moduleNames(ctx context.Context, c *client, _ string) ([]cobra.Completion, error) {
	resp, err := c.ListModules(ctx, &apiv1.ListModulesRequest{})
	return offers(resp.GetModules(), (*apiv1.Module).GetName, (*apiv1.Module).GetKind), err
}
