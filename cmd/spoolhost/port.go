package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newPortCommand(opts *options) *cobra.Command {
	group := newGroupCommand("port", "Add, show and delete ports",
		`A port is one device as a monitor reaches it. It has one document at a time. What
settings a port takes is its monitor's business.`,
		`  spoolhost port add IP_10.0.0.5 --monitor "Standard TCP/IP Port" --set host=10.0.0.5 --set port=9100
  spoolhost port list`,
		newPortAddCommand(opts), newPortListCommand(opts), newPortShowCommand(opts), newPortDeleteCommand(opts),
		newPortSetCommand(opts))
	addSpoolerFlag(group, opts)
	return group
}

func newPortAddCommand(opts *options) *cobra.Command {
	var monitor string
	var settings []string
	cmd := &cobra.Command{
		Use:   "add NAME --monitor MONITOR [--set KEY=VALUE]...",
		Short: "Have a monitor add a port",
		Long: `Have a monitor add the port NAME. Each --set gives the monitor one setting; it refuses
what it does not know, and says what it wants.

"Standard TCP/IP Port" takes host and port (9100 if not given). "Local Port" takes the
name alone: a device or file below a directory that the host's configuration allows.
Only administrators may do this.`,
		Example: `  spoolhost port add IP_10.0.0.5 --monitor "Standard TCP/IP Port" --set host=10.0.0.5 --set port=9100
  spoolhost port add /dev/usb/lp0 --monitor "Local Port"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			pairs, err := parseSettings(settings)
			if err != nil {
				return err
			}
			resp, err := c.AddPort(ctx, &apiv1.AddPortRequest{Spooler: c.spooler, Name: args[0], Monitor: monitor, Settings: pairs})
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.Port{resp.GetPort()}, true, func(p *apiv1.Port) string {
				return "port " + p.GetName() + " added: " + state(p.GetState(), p.GetStatus())
			})
		}),
	}
	cmd.Flags().StringVar(&monitor, "monitor", "", "the monitor that serves the port")
	cmd.Flags().StringArrayVar(&settings, "set", nil, "a setting for the monitor, KEY=VALUE (repeatable)")
	completeFlag(cmd, "monitor", completeMonitors(opts, 0))
	completeFlag(cmd, "set", cobra.NoFileCompletions)
	require(cmd, "monitor")
	return cmd
}

// parseSettings reads KEY=VALUE pairs. A value may be empty and may hold anything.
func parseSettings(pairs []string) (map[string]string, error) {
	settings := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("setting %q is not KEY=VALUE, such as host=10.0.0.5", pair)
		}
		if _, twice := settings[key]; twice {
			return nil, usagef("setting %q is given twice", key)
		}
		settings[key] = value
	}
	return settings, nil
}

func newPortListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the ports of all monitors",
		Long: `List all ports with their state: idle, printing, waiting (for the device), offline (by
the monitor's word), closed (no printer uses it) or missing (its monitor does not serve it
now).`,
		Example: `  spoolhost port list
  spoolhost port list -o json | jq -r '.[] | select(.state == "offline") | .name'`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			stream, err := c.ListPorts(ctx, &apiv1.ListPortsRequest{Spooler: c.spooler})
			ports, err := collect(stream, err, (*apiv1.ListPortsResponse).GetPorts)
			if err != nil {
				return err
			}
			return list(c.out, ports, "no ports", []string{"NAME", "STATE", "MONITOR", "PRINTERS", "STATUS"}, portRow)
		}),
	}
}

func portRow(p *apiv1.Port) []string {
	return []string{
		p.GetName(), p.GetState(), p.GetMonitor(), orDash(strings.Join(p.GetPrinters(), ", ")), cut(clean(p.GetStatus()), 60),
	}
}

func newPortShowCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a port",
		Long:              `Show one port: its monitor, its state and why, the printers that use it and the job it prints.`,
		Example:           `  spoolhost port show IP_10.0.0.5`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePorts(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.GetPort(ctx, &apiv1.GetPortRequest{Spooler: c.spooler, Name: args[0]})
			if err != nil {
				return err
			}
			p := resp.GetPort()
			return c.out.object(p, func(b *strings.Builder) { showPort(b, p) })
		}),
	}
}

func showPort(b *strings.Builder, p *apiv1.Port) {
	var s sheet
	s.add("port", p.GetName())
	s.add("spooler", p.GetSpooler())
	s.add("monitor", p.GetMonitor())
	s.add("description", p.GetDescription())
	s.add("state", p.GetState())
	s.add("status", p.GetStatus())
	addTimeouts(&s, p.GetTimeouts())
	s.add("printers", orDash(strings.Join(p.GetPrinters(), ", ")))
	if p.GetJob() != 0 {
		s.add("job", jobID(p.GetJob()))
	}
	s.write(b)
}

func newPortDeleteCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "Have a monitor delete a port",
		Long: `Have its monitor delete a port. It is refused while a printer uses the port. Only
administrators may do this.`,
		Example:           `  spoolhost port delete IP_10.0.0.5`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePorts(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if _, err := c.DeletePort(ctx, &apiv1.DeletePortRequest{Spooler: c.spooler, Name: args[0]}); err != nil {
				return err
			}
			return c.out.done("port %s deleted", args[0])
		}),
	}
}
