package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/spoolhost/spoolhost/host/supervisor"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newMonitorUpgradeCommand(opts *options) *cobra.Command {
	req := &apiv1.UpgradeMonitorRequest{}
	cmd := &cobra.Command{
		Use:   "upgrade NAME --module PATH [-- ARGS...]",
		Short: "Put another version of a monitor in its place without losing a document",
		Long: `Put the executable PATH in the place of the one that monitor NAME runs. The host asks it
what it is, pins its SHA-256 and starts it beside the old one. Ports that print nothing move
at once; a document in print ends with the old one, which is then shut down. If the new one
does not start, nothing changes. Arguments after -- replace the installed ones.

It also lifts a quarantine. Only administrators may do this.`,
		Example:           `  spoolhost monitor upgrade "Acme Port" --module /usr/lib/acme/acme-monitor-2.1`,
		Args:              argsBeforeDash(1),
		ValidArgsFunction: completeMonitors(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			module, err := filepath.Abs(req.Module)
			if err != nil {
				return err
			}
			resp, err := c.UpgradeMonitor(ctx, &apiv1.UpgradeMonitorRequest{
				Name: args[0], Module: module, Args: args[1:], ReplaceArgs: cmd.ArgsLenAtDash() >= 0,
				Digest: strings.ToLower(strings.TrimPrefix(req.Digest, "sha256:")),
			})
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.Monitor{resp.GetMonitor()}, true, func(m *apiv1.Monitor) string {
				return "monitor " + m.GetName() + " now is " + m.GetModule() + ", version " + orDash(m.GetModuleVersion()) + ": " + state(m.GetState(), m.GetReason())
			})
		}),
	}
	cmd.Flags().StringVar(&req.Module, "module", "", "path of the executable")
	cmd.Flags().StringVar(&req.Digest, "digest", "", "SHA-256 that the executable must have, in hex")
	completeFlag(cmd, "digest", cobra.NoFileCompletions)
	require(cmd, "module")
	return cmd
}

func newMonitorSetCommand(opts *options) *cobra.Command {
	var flags monitorFlags
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change how a monitor is run: isolation, time-outs, user, limits",
		Long: `Change how the processes of a monitor are run. The monitor is started anew with them beside
the old one, as in an upgrade: no document is lost. 0, or an empty user, is the host's default.

With --isolation spooler (the default) each spooler has a process of its own; with "shared"
one process serves all spoolers of the host. Only administrators may do this.`,
		Example: `  spoolhost monitor set "Acme Port" --memory 256MiB --user acme
  spoolhost monitor set "Acme Port" --resource-timeout 10m --isolation shared`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeMonitors(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			options, err := flags.message(cmd.Flags())
			if err != nil {
				return err
			}
			resp, err := c.UpdateMonitor(ctx, &apiv1.UpdateMonitorRequest{Name: args[0], Options: options})
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.Monitor{resp.GetMonitor()}, true, func(m *apiv1.Monitor) string {
				return "monitor " + m.GetName() + " changed: " + state(m.GetState(), m.GetReason())
			})
		}),
	}
	flags.register(cmd)
	return cmd
}

// monitorFlags are the options of a monitor as flags.
type monitorFlags struct {
	isolation, user, memory string
	processes, files        int64
	timeouts                timeoutFlags
}

func (m *monitorFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&m.isolation, "isolation", "", "spooler or shared")
	flags.StringVar(&m.user, "user", "", "operating-system user of its processes")
	flags.StringVar(&m.memory, "memory", "", `memory of one process with all that it starts, such as 256MiB`)
	flags.Int64Var(&m.processes, "processes", 0, "processes and threads of one process with all that it starts")
	flags.Int64Var(&m.files, "files", 0, "open files of each of its processes")
	m.timeouts.register(cmd)
	completeFlag(cmd, "isolation", cobra.FixedCompletions([]string{"spooler", "shared"}, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"user", "memory", "processes", "files"} {
		completeFlag(cmd, name, cobra.NoFileCompletions)
	}
}

func (m *monitorFlags) message(flags *pflag.FlagSet) (*apiv1.MonitorOptions, error) {
	if flags.NFlag() == 0 {
		return nil, usagef("nothing to change; see spoolhost monitor set --help")
	}
	o := &apiv1.MonitorOptions{
		Isolation: ifChanged(flags, "isolation", &m.isolation), User: ifChanged(flags, "user", &m.user),
		Processes: ifChanged(flags, "processes", &m.processes), Files: ifChanged(flags, "files", &m.files),
	}
	if flags.Changed("memory") {
		var bytes int64
		if m.memory != "0" && m.memory != "" {
			var err error
			if bytes, err = supervisor.ParseSize(m.memory); err != nil {
				return nil, usagef("--memory: %v", err)
			}
		}
		o.MemoryBytes = &bytes
	}
	m.timeouts.fill(flags, &o.CallTimeout, &o.ResourceTimeout, &o.KillGrace)
	return o, nil
}
