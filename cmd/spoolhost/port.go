package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func newPortCommand(opts *options) *cobra.Command {
	group := newGroupCommand("port", "Add, show and delete ports",
		`A port is one device as a monitor reaches it. It has one document at a time. What
settings a port takes is its monitor's business.`,
		`  spoolhost port add IP_10.0.0.5 --monitor "Standard TCP/IP Port" --set host=10.0.0.5 --set port=9100
  spoolhost port list`,
		newPortAddCommand(opts), newPortListCommand(opts), newPortShowCommand(opts), newPortConfigureCommand(opts), newPortDeleteCommand(opts),
		newPortSetCommand(opts), newPortBidiCommand(opts), newPortTimeOutsCommand(opts), newPortDataCommand(opts))
	addSpoolerFlag(group, opts)
	return group
}

func newPortAddCommand(opts *options) *cobra.Command {
	var monitor string
	var dialogue dialogueFlags
	cmd := &cobra.Command{
		Use:   "add [NAME] --monitor MONITOR [--set KEY=VALUE]...",
		Short: "Add a port, by a dialogue or with given settings",
		Long: `Add a port to a monitor. Without NAME the monitor's user interface asks for all that it
wants to know: at a terminal in forms (Esc cancels, and leaves nothing behind), in a script
it takes its answers from --set, by the names of its fields, or the defaults with --no-ui.

With NAME there is no dialogue: the name and each --set go straight to the monitor, which
refuses what it does not know, and says what it wants. That works for every monitor, also
for one without a user interface.

"Standard TCP/IP Port" takes host and port (9100 if not given). "Local Port" takes the
name alone: a device or file below a directory that the host's configuration allows.
Only administrators may do this.`,
		Example: `  spoolhost port add --monitor "Standard TCP/IP Port"
  spoolhost port add --monitor "Standard TCP/IP Port" --set host=10.0.0.5 --set test=false
  spoolhost port add IP_10.0.0.5 --monitor "Standard TCP/IP Port" --set host=10.0.0.5 --set port=9100
  spoolhost port add /dev/usb/lp0 --monitor "Local Port"`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			p, err := addPort(ctx, c, cmd, args, monitor, dialogue)
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.Port{p}, true, func(p *apiv1.Port) string {
				return "port " + p.GetName() + " added: " + state(p.GetState(), p.GetStatus())
			})
		}),
	}
	cmd.Flags().StringVar(&monitor, "monitor", "", "the monitor that serves the port")
	completeFlag(cmd, "monitor", completeMonitors(opts, 0))
	dialogue.register(cmd)
	require(cmd, "monitor")
	return cmd
}

// addPort adds a port: with a name directly, without by a dialogue.
func addPort(ctx context.Context, c *call, cmd *cobra.Command, args []string, monitor string, f dialogueFlags) (*apiv1.Port, error) {
	if len(args) == 0 {
		return f.hold(ctx, c, cmd, &apiv1.DialogueBegin{Operation: &apiv1.DialogueBegin_AddWithMonitor{AddWithMonitor: monitor}})
	}
	pairs, err := parseSettings(f.set)
	if err != nil {
		return nil, err
	}
	resp, err := c.AddPort(ctx, &apiv1.AddPortRequest{Spooler: c.spooler, Name: args[0], Monitor: monitor, Settings: pairs})
	return resp.GetPort(), err
}

func newPortConfigureCommand(opts *options) *cobra.Command {
	var dialogue dialogueFlags
	cmd := &cobra.Command{
		Use:   "configure NAME [--set FIELD=VALUE]...",
		Short: "Change the settings of a port by its monitor's dialogue",
		Long: `Change what a port's monitor knows of it. The monitor's user interface asks: at a terminal
in forms that show what is set now (Esc cancels, and changes nothing), in a script it takes
its answers from --set, by the names of its fields, and leaves the others as they are. They
hold from the next document. Only administrators may do this.

A monitor without a user interface takes settings by "spoolhost xcv".`,
		Example: `  spoolhost port configure IP_10.0.0.5
  spoolhost port configure IP_10.0.0.5 --set host=10.0.0.6
  spoolhost xcv ",XcvPort ACME1" ConfigPort --text '{"settings":{"address":"10.0.0.6:9100"}}'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePorts(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			p, err := dialogue.hold(ctx, c, cmd, &apiv1.DialogueBegin{Operation: &apiv1.DialogueBegin_ConfigurePort{ConfigurePort: args[0]}})
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.Port{p}, true, func(p *apiv1.Port) string { return "port " + args[0] + " configured" })
		}),
	}
	dialogue.register(cmd)
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
the monitor's word), closed (no printer uses it), starting (its monitor is) or missing (its
monitor does not serve it now). Monitors that a cluster spooler has not needed yet are dormant,
and their ports are not listed; adding a port, or a printer at one, wakes them.`,
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
	s.add("tried again", localTime(p.GetRetryAt()))
	addTimeouts(&s, p.GetTimeouts())
	s.add("printers", orDash(strings.Join(p.GetPrinters(), ", ")))
	if p.GetJob() != 0 {
		s.add("job", jobID(p.GetJob()))
	}
	s.write(b)
}

func newPortDeleteCommand(opts *options) *cobra.Command {
	var dialogue dialogueFlags
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a port",
		Long: `Have its monitor delete a port. At a terminal the monitor's user interface asks first, if
it has one; in a script, or with --no-ui, nobody is asked. It is refused while a printer
uses the port. Only administrators may do this.`,
		Example: `  spoolhost port delete IP_10.0.0.5
  spoolhost port delete IP_10.0.0.5 --no-ui`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePorts(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			if err := deletePort(ctx, c, cmd, args[0], dialogue); err != nil {
				return err
			}
			return c.out.done("port %s deleted", args[0])
		}),
	}
	dialogue.register(cmd)
	return cmd
}

// deletePort asks first where there is somebody to ask, and something that asks.
func deletePort(ctx context.Context, c *call, cmd *cobra.Command, name string, f dialogueFlags) error {
	_, _, person := terminal(cmd)
	if len(f.set) > 0 || person && !f.noUI {
		_, err := f.hold(ctx, c, cmd, &apiv1.DialogueBegin{Operation: &apiv1.DialogueBegin_DeletePort{DeletePort: name}})
		if spoolerr.KindOf(err) != spoolerr.Unsupported {
			return err
		}
	}
	_, err := c.DeletePort(ctx, &apiv1.DeletePortRequest{Spooler: c.spooler, Name: name})
	return err
}
