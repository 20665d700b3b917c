package main

import (
	"context"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newPortSetCommand(opts *options) *cobra.Command {
	var timeouts timeoutFlags
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change the time-outs of the calls to a port",
		Long: `Change the time-outs of the calls to one port, for a device that is slower or should be
given up sooner than others of its monitor. They hold from its next opening. Only
administrators may do this.`,
		Example:           `  spoolhost port set IP_10.0.0.5 --resource-timeout 10m`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePorts(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			t := &apiv1.PortTimeouts{}
			timeouts.fill(cmd.Flags(), &t.CallTimeout, &t.ResourceTimeout, &t.KillGrace)
			if t.GetCallTimeout() == nil && t.GetResourceTimeout() == nil && t.GetKillGrace() == nil {
				return usagef("nothing to change; give --call-timeout, --resource-timeout or --kill-grace")
			}
			if _, err := c.UpdatePort(ctx, &apiv1.UpdatePortRequest{Spooler: c.spooler, Name: args[0], Timeouts: t}); err != nil {
				return err
			}
			return c.out.done("port %s changed", args[0])
		}),
	}
	timeouts.register(cmd)
	return cmd
}

func addTimeouts(s *sheet, t *apiv1.PortTimeouts) {
	addDurations(s, t.GetCallTimeout(), t.GetResourceTimeout(), t.GetKillGrace())
}
