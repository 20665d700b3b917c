package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newMonitorCommand(opts *options) *cobra.Command {
	return newGroupCommand("monitor", "Install, show, upgrade and restart port monitors",
		`A monitor is an executable that knows one sort of device. The host runs it in a process
of its own, and only if the file still is the one that was installed (SHA-256). The host
brings two along: "Standard TCP/IP Port" and "Local Port".`,
		`  spoolhost monitor list
  spoolhost monitor add "Acme Port" --module ./acme-monitor`,
		newMonitorAddCommand(opts), newMonitorListCommand(opts), newMonitorShowCommand(opts),
		newMonitorRemoveCommand(opts), newMonitorRestartCommand(opts), newMonitorResumeCommand(opts),
		newMonitorUpgradeCommand(opts), newMonitorSetCommand(opts))
}

func newMonitorAddCommand(opts *options) *cobra.Command {
	req := &apiv1.AddMonitorRequest{}
	cmd := &cobra.Command{
		Use:   "add NAME --module PATH [-- ARGS...]",
		Short: "Install a monitor",
		Long: `Install the executable PATH as monitor NAME. The host launches it once and asks what it
is, then pins its SHA-256: a file that changes later is not run. With --digest it must
have that one now. Arguments after -- go to the module each time it starts.

PATH is a file of the host's machine; a relative one is taken from the current directory.
Only administrators may do this. For another version of the file see monitor upgrade.`,
		Example: `  spoolhost monitor add "Acme Port" --module /usr/lib/acme/acme-monitor
  spoolhost monitor add "Acme Port" --module ./acme-monitor --digest "$(sha256sum <acme-monitor | cut -c-64)" -- --verbose`,
		Args:              argsBeforeDash(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			return addMonitor(ctx, c, req, args)
		}),
	}
	cmd.Flags().StringVar(&req.Module, "module", "", "path of the executable")
	cmd.Flags().StringVar(&req.Digest, "digest", "", "SHA-256 that the executable must have, in hex")
	completeFlag(cmd, "digest", cobra.NoFileCompletions)
	require(cmd, "module")
	return cmd
}

func addMonitor(ctx context.Context, c *call, req *apiv1.AddMonitorRequest, args []string) error {
	module, err := filepath.Abs(req.Module)
	if err != nil {
		return err
	}
	resp, err := c.AddMonitor(ctx, &apiv1.AddMonitorRequest{
		Name: args[0], Module: module, Args: args[1:],
		Digest: strings.ToLower(strings.TrimPrefix(req.Digest, "sha256:")),
	})
	if err != nil {
		return err
	}
	m := resp.GetMonitor()
	return results(c.out, []*apiv1.Monitor{m}, true, func(m *apiv1.Monitor) string {
		return "monitor " + m.GetName() + " installed: " + state(m.GetState(), m.GetReason())
	})
}

// argsBeforeDash wants n arguments before "--" and takes any number after it.
func argsBeforeDash(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		own := len(args)
		if dash := cmd.ArgsLenAtDash(); dash >= 0 {
			own = dash
		}
		return cobra.ExactArgs(n)(cmd, args[:own])
	}
}

func newMonitorListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the installed monitors",
		Long:  "List all installed monitors with their state and version, in order of name.",
		Example: `  spoolhost monitor list
  spoolhost monitor list -o json | jq -r '.[] | select(.state != "running") | .name'`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			stream, err := c.ListMonitors(ctx, &apiv1.ListMonitorsRequest{})
			monitors, err := collect(stream, err, (*apiv1.ListMonitorsResponse).GetMonitors)
			if err != nil {
				return err
			}
			return list(c.out, monitors, "no monitors", []string{"NAME", "STATE", "VERSION", "PROCESSES", "MODULE", "REASON"}, monitorRow)
		}),
	}
}

func newMonitorShowCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a monitor, its processes and the end of their logs",
		Long: `Show one monitor: which file it runs, its processes (one for each spooler that uses it)
with their pids and restarts, and the last lines that each wrote to its log.`,
		Example: `  spoolhost monitor show "Standard TCP/IP Port"
  spoolhost monitor show "Standard TCP/IP Port" -o json | jq '.processes[].pid'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeMonitors(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.GetMonitor(ctx, &apiv1.GetMonitorRequest{Name: args[0]})
			if err != nil {
				return err
			}
			m := resp.GetMonitor()
			return c.out.object(m, func(b *strings.Builder) { showMonitor(b, m) })
		}),
	}
}

func newMonitorRemoveCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Uninstall a monitor with its ports and settings",
		Long: `Uninstall a monitor: its processes end, its ports and everything it keeps in the registry
go. It is refused while a printer uses one of its ports. Only administrators may do this.`,
		Example:           `  spoolhost monitor remove "Acme Port"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeMonitors(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if _, err := c.RemoveMonitor(ctx, &apiv1.RemoveMonitorRequest{Name: args[0]}); err != nil {
				return err
			}
			return c.out.done("monitor %s removed", args[0])
		}),
	}
}

func newMonitorResumeCommand(opts *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume NAME",
		Short: "Start a quarantined monitor again",
		Long: `Start a monitor that failed too often and is quarantined, or that waits for its next
start. See why it failed first: "spoolhost why monitor NAME". Operators may do this.`,
		Example: `  spoolhost why monitor "Acme Port"
  spoolhost monitor resume "Acme Port"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeMonitors(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.ResumeMonitor(ctx, &apiv1.ResumeMonitorRequest{Name: args[0], Spooler: c.spooler})
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.Monitor{resp.GetMonitor()}, true, func(m *apiv1.Monitor) string {
				return "monitor " + m.GetName() + " is started again"
			})
		}),
	}
	addSpoolerFlag(cmd, opts)
	return cmd
}

func newMonitorRestartCommand(opts *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restart NAME",
		Short: "End a monitor's processes in order and start them anew",
		Long: `End a monitor's processes in order and start them anew, also if it was in back-off.
Documents that print through it finish or fail first, within the resource time-out.
Operators may do this.`,
		Example: `  spoolhost monitor restart "Standard TCP/IP Port"
  spoolhost monitor restart "Standard TCP/IP Port" --spooler node --timeout 5m`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeMonitors(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.RestartMonitor(ctx, &apiv1.RestartMonitorRequest{Name: args[0], Spooler: c.spooler})
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.Monitor{resp.GetMonitor()}, true, func(m *apiv1.Monitor) string {
				return "monitor " + m.GetName() + " restarted: " + state(m.GetState(), m.GetReason())
			})
		}),
	}
	addSpoolerFlag(cmd, opts)
	return cmd
}
