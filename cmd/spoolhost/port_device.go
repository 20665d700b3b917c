package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

func newPortBidiCommand(opts *options) *cobra.Command {
	var get, set []string
	var all string
	var schema bool
	cmd := &cobra.Command{
		Use:   `bidi NAME [--get SCHEMA]... [--all PROPERTY] [--set SCHEMA=TYPE:VALUE]... [--schema]`,
		Short: "Ask a port's printer for its state and supplies",
		Long: `Ask the printer behind a port by the bidi schema. Without flags everything that the port
knows is shown. --get asks for single values, --all for all values below a property, --schema
for the names alone; --set sets a value, if the monitor can.

"Standard TCP/IP Port" answers from SNMP, which the port's setting snmp=true switches on.
Only operators may do this.`,
		Example: `  spoolhost port bidi IP_10.0.0.5
  spoolhost port bidi IP_10.0.0.5 --get '\Printer.Status.Summary:State'
  spoolhost port bidi IP_10.0.0.5 --all '\Printer.Consumables' -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePorts(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			r := &apiv1.SendRecvBidiDataRequest{Spooler: c.spooler, Name: args[0], Action: spool.BidiGetAll}
			switch {
			case schema:
				r.Action = spool.BidiEnumSchema
			case len(set) > 0:
				r.Action = spool.BidiSet
				items, err := parseBidiSets(set)
				if err != nil {
					return err
				}
				r.Items = items
			case len(get) > 0:
				r.Action, r.Items = spool.BidiGet, bidiItems(get)
			default:
				r.Items = bidiItems([]string{all})
			}
			resp, err := c.SendRecvBidiData(ctx, r)
			if err != nil {
				return err
			}
			return showBidi(c.out, resp.GetItems())
		}),
	}
	cmd.Flags().StringArrayVar(&get, "get", nil, `a value to ask for, such as \Printer.Status.Summary:State (repeatable)`)
	cmd.Flags().StringVar(&all, "all", `\Printer`, "a property of which to show every value")
	cmd.Flags().StringArrayVar(&set, "set", nil, "a value to set, SCHEMA=TYPE:VALUE with a type such as INT or STRING (repeatable)")
	cmd.Flags().BoolVar(&schema, "schema", false, "show the names of all values")
	cmd.MarkFlagsMutuallyExclusive("get", "all", "set", "schema")
	for _, f := range []string{"get", "all", "set"} {
		completeFlag(cmd, f, cobra.NoFileCompletions)
	}
	return cmd
}

func bidiItems(schemas []string) (items []*apiv1.BidiItem) {
	for i, s := range schemas {
		items = append(items, &apiv1.BidiItem{Number: uint32(i + 1), Schema: s})
	}
	return items
}

// parseBidiSets reads SCHEMA=TYPE:VALUE.
func parseBidiSets(sets []string) (items []*apiv1.BidiItem, err error) {
	for i, s := range sets {
		schema, rest, ok := strings.Cut(s, "=")
		kind, value, typed := strings.Cut(rest, ":")
		if !ok || !typed || schema == "" {
			return nil, usagef(`%q is not SCHEMA=TYPE:VALUE, such as \Printer.DeviceInfo:Location=STRING:Hall`, s)
		}
		items = append(items, &apiv1.BidiItem{Number: uint32(i + 1), Schema: schema, Type: kind, Value: value})
	}
	return items, nil
}

func showBidi(out output, items []*apiv1.BidiItem) error {
	if len(items) == 1 && items[0].GetSchema() == "" && items[0].GetType() == spool.BidiText.String() && !out.json {
		var b strings.Builder
		b.WriteString(cleanLines(items[0].GetValue()))
		return out.text(&b)
	}
	return list(out, items, "the printer tells nothing", []string{"NAME", "TYPE", "VALUE"}, func(i *apiv1.BidiItem) []string {
		if i.GetResult() != 0 {
			return []string{i.GetSchema(), "-", bidiError(i.GetResult())}
		}
		return []string{i.GetSchema(), i.GetType(), clean(i.GetValue())}
	})
}

// cleanLines makes several lines of a device's text safe to show.
func cleanLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(clean(strings.TrimRight(line, "\n")) + "\n")
	}
	return b.String()
}

// bidiError words the results that a person will meet.
func bidiError(code uint32) string {
	words := map[uint32]string{
		232: "no such name in the schema", 13002: "cannot be set", 13004: "the device is offline", 13005: "the printer does not tell",
	}
	if w, ok := words[code]; ok {
		return w
	}
	return fmt.Sprintf("error %d", code)
}

func newPortTimeOutsCommand(opts *options) *cobra.Command {
	r := &apiv1.SetPortTimeOutsRequest{}
	cmd := &cobra.Command{
		Use:   "timeouts NAME [--read-interval MS] [--write-constant MS] ...",
		Short: "Set the communication time-outs of a port's device",
		Long: `Set the communication time-outs of a port's device in milliseconds, as SetPortTimeOuts
does. They hold until the port is closed, which is when no printer uses it any more. Time-outs
that stay are settings of the port. Only administrators may do this, and only some monitors can.`,
		Example:           `  spoolhost port timeouts LPT1: --write-constant 45000`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePorts(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			r.Spooler, r.Name = c.spooler, args[0]
			if _, err := c.SetPortTimeOuts(ctx, r); err != nil {
				return err
			}
			return c.out.done("port %s has new time-outs until it is closed", args[0])
		}),
	}
	f := cmd.Flags()
	f.Uint32Var(&r.ReadInterval, "read-interval", 0, "the longest time between two bytes read")
	f.Uint32Var(&r.ReadTotalMultiplier, "read-multiplier", 0, "for a whole read: time for each byte")
	f.Uint32Var(&r.ReadTotalConstant, "read-constant", 0, "for a whole read: time besides")
	f.Uint32Var(&r.WriteTotalMultiplier, "write-multiplier", 0, "for a whole write: time for each byte")
	f.Uint32Var(&r.WriteTotalConstant, "write-constant", 0, "for a whole write: time besides")
	return cmd
}

func newPortDataCommand(opts *options) *cobra.Command {
	var control uint32
	cmd := &cobra.Command{
		Use:   "data NAME VALUE | data NAME --control CODE",
		Short: "Ask a port's monitor for a fact about its device",
		Long: `Ask a port's monitor for a fact about its device, as GetPrinterDataFromPort does: by the
name of a value, or with --control by a control code. What there is to ask for is the
monitor's business: "CUPS Backend" knows what its backend has told, such as marker-levels.
Text is shown as text, all else goes to standard output as it is. Only administrators may
do this.`,
		Example:           `  spoolhost port data usb-laser marker-levels`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completePorts(opts, 1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if (len(args) == 2) == (control != 0) {
				return usagef("give the name of a value, or --control with a code other than 0")
			}
			r := &apiv1.GetPrinterDataRequest{Spooler: c.spooler, Name: args[0], ControlId: control}
			if control == 0 {
				r.ValueName = args[1]
			}
			resp, err := c.GetPrinterData(ctx, r)
			if err != nil {
				return err
			}
			text, err := portconfig.DecodeText(resp.GetOutput())
			if err != nil && !c.out.json {
				_, err := c.out.w.Write(resp.GetOutput())
				return err
			}
			return c.out.object(resp, func(b *strings.Builder) { b.WriteString(clean(text) + "\n") })
		}),
	}
	cmd.Flags().Uint32Var(&control, "control", 0, "a control code of the device")
	return cmd
}
