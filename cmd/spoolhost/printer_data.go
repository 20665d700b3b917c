package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newPrinterDataCommand(opts *options) *cobra.Command {
	return newGroupCommand("data", "Read and change a printer's data",
		`Printer data are typed values in keys below a printer. PrinterDriverData is what its driver
keeps; CopyFiles\NAME says which files of the share PRINT$ clients copy:
  Directory  where they are in PRINT$ (REG_SZ)
  Files      their names (REG_MULTI_SZ)
  Module     the Point and Print module, if there is one (REG_SZ)
Quote keys, since a backslash means something to a shell. Everybody reads, administrators
write; connected clients notice each change.`,
		`  spoolhost share add hpclrlsr.icm --directory Color
  spoolhost printer data set HpColor 'CopyFiles\ICM' Directory Color
  spoolhost printer data set HpColor 'CopyFiles\ICM' Files hpclrlsr.icm --type REG_MULTI_SZ
  spoolhost printer data set HpColor 'CopyFiles\ICM' Module mscms.dll
  spoolhost printer data list HpColor 'CopyFiles\ICM'`,
		newPrinterDataSetCommand(opts), newPrinterDataGetCommand(opts), newPrinterDataListCommand(opts), newPrinterDataDeleteCommand(opts))
}

func newPrinterDataSetCommand(opts *options) *cobra.Command {
	var typeName string
	cmd := &cobra.Command{
		Use:   "set PRINTER KEY NAME [DATA...]",
		Short: "Store a value of a printer's data",
		Long: `Store a value, and make its key if there is none. DATA is read by --type: text for REG_SZ
and REG_EXPAND_SZ, any number of texts for REG_MULTI_SZ, a number (decimal, or hex after
0x) for REG_DWORD and REG_QWORD, hex for REG_BINARY and REG_NONE. The modules of the
printer's CopyFiles keys are told afterwards. Only administrators may do this.`,
		Example: `  spoolhost printer data set HpColor PrinterDriverData Duplex 1 --type REG_DWORD
  spoolhost printer data set HpColor 'CopyFiles\ICM' Files a.icm b.icm --type REG_MULTI_SZ`,
		Args:              cobra.MinimumNArgs(3),
		ValidArgsFunction: complete(opts, 3, dataNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			value, err := parseValue(args[2], typeName, args[3:])
			if err != nil {
				return err
			}
			_, err = c.SetPrinterDataEx(ctx, &apiv1.SetPrinterDataExRequest{Spooler: c.spooler, Printer: args[0], Key: args[1], Value: value})
			if err != nil {
				return err
			}
			return c.out.done("printer %s: value %s of %s set", args[0], value.GetName(), args[1])
		}),
	}
	cmd.Flags().StringVar(&typeName, "type", "REG_SZ", "type of the value, such as REG_SZ or REG_DWORD")
	completeFlag(cmd, "type", cobra.FixedCompletions(valueTypes(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newPrinterDataGetCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "get PRINTER KEY NAME",
		Short: "Show one value of a printer's data",
		Long: `Show the data of one value: text, a number, or hex; a REG_MULTI_SZ has a line for each of
its texts. ChangeID of PrinterDriverData is another number after each change of the printer.`,
		Example: `  spoolhost printer data get HpColor 'CopyFiles\ICM' Files
  spoolhost printer data get HpColor PrinterDriverData ChangeID`,
		Args:              cobra.ExactArgs(3),
		ValidArgsFunction: complete(opts, 3, dataNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.GetPrinterDataEx(ctx, &apiv1.GetPrinterDataExRequest{Spooler: c.spooler, Printer: args[0], Key: args[1], Value: args[2]})
			if err != nil {
				return err
			}
			v := resp.GetValue()
			return c.out.object(v, func(b *strings.Builder) { b.WriteString(strings.Join(valueLines(v), "\n") + "\n") })
		}),
	}
}

func newPrinterDataListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list PRINTER [KEY]",
		Short: "List keys and values of a printer's data",
		Long: `List the subkeys and values of a key; without KEY the keys of the printer. A CopyFiles key
has SourceDir and TargetDir as well, which are made anew for each client that asks: this is
what one sees.`,
		Example: `  spoolhost printer data list HpColor
  spoolhost printer data list HpColor 'CopyFiles\ICM' -o json | jq '.values'`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: complete(opts, 2, dataNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			key := strings.Join(args[1:], "")
			keys, err := c.EnumPrinterKey(ctx, &apiv1.EnumPrinterKeyRequest{Spooler: c.spooler, Printer: args[0], Key: key})
			if err != nil {
				return err
			}
			shown := &apiv1.ListKeyResponse{Keys: keys.GetKeys()}
			if key != "" {
				values, err := c.EnumPrinterDataEx(ctx, &apiv1.EnumPrinterDataExRequest{Spooler: c.spooler, Printer: args[0], Key: key})
				if err != nil {
					return err
				}
				shown.Values = values.GetValues()
			}
			return c.out.object(shown, func(b *strings.Builder) { showKey(b, shown) })
		}),
	}
}

func newPrinterDataDeleteCommand(opts *options) *cobra.Command {
	var tree bool
	cmd := &cobra.Command{
		Use:   "delete PRINTER [KEY] {NAME | --tree}",
		Short: "Delete a value of a printer's data, or a key and all below it",
		Long: `Delete one value of a key, or with --tree the key itself and everything below it; --tree
without KEY deletes all of the printer's data. There is no question and no way back. Only
administrators may do this.`,
		Example: `  spoolhost printer data delete HpColor 'CopyFiles\ICM' Module
  spoolhost printer data delete HpColor 'CopyFiles\ICM' --tree`,
		Args:              cobra.RangeArgs(1, 3),
		ValidArgsFunction: complete(opts, 3, dataNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			switch {
			case !tree && len(args) == 3:
				_, err := c.DeletePrinterDataEx(ctx, &apiv1.DeletePrinterDataExRequest{Spooler: c.spooler, Printer: args[0], Key: args[1], Value: args[2]})
				if err != nil {
					return err
				}
				return c.out.done("printer %s: value %s of %s deleted", args[0], args[2], args[1])
			case tree && len(args) < 3:
				key := strings.Join(args[1:], "")
				if _, err := c.DeletePrinterKey(ctx, &apiv1.DeletePrinterKeyRequest{Spooler: c.spooler, Printer: args[0], Key: key}); err != nil {
					return err
				}
				if key == "" {
					return c.out.done("printer %s: all data deleted", args[0])
				}
				return c.out.done("printer %s: key %s deleted", args[0], key)
			}
			return usagef("name a key and a value of it to delete, or --tree for a key and all below it")
		}),
	}
	cmd.Flags().BoolVar(&tree, "tree", false, "delete the key itself and all below it")
	return cmd
}

// dataNames offers printers; what keys and values there are a completion cannot know before
// the printer stands on the line.
func dataNames(ctx context.Context, c *client, spooler string) ([]cobra.Completion, error) {
	return printerNames(ctx, c, spooler)
}
