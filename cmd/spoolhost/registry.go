package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/registry"
)

func newRegistryCommand(opts *options) *cobra.Command {
	group := newGroupCommand("registry", "Read and change a spooler's registry",
		`The registry is where a spooler and its monitors keep their settings: keys, separated by
backslashes, with typed values. Quote paths, since a backslash means something to a shell.
Names are case-insensitive. Operators read, administrators write. Change what belongs to a
monitor only if you know what it makes of it.`,
		`  spoolhost registry list
  spoolhost registry export 'Monitors'`,
		newRegistryListCommand(opts), newRegistryGetCommand(opts), newRegistrySetCommand(opts),
		newRegistryDeleteCommand(opts), newRegistryExportCommand(opts))
	addSpoolerFlag(group, opts)
	return group
}

func newRegistryListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list [PATH]",
		Short: "List the subkeys and values of a key",
		Long:  `List the subkeys and the values of a key; without PATH of the spooler's root.`,
		Example: `  spoolhost registry list
  spoolhost registry list 'Monitors\Local Port' -o json | jq '.values'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			path := strings.Join(args, "")
			resp, err := c.ListKey(ctx, &apiv1.ListKeyRequest{Spooler: c.spooler, Path: path})
			if err != nil {
				return err
			}
			return c.out.object(resp, func(b *strings.Builder) { showKey(b, resp) })
		}),
	}
}

func showKey(b *strings.Builder, key *apiv1.ListKeyResponse) {
	if len(key.GetKeys()) == 0 && len(key.GetValues()) == 0 {
		b.WriteString("no subkeys and no values\n")
		return
	}
	for _, sub := range key.GetKeys() {
		b.WriteString(clean(sub) + "\\\n")
	}
	if len(key.GetValues()) == 0 {
		return
	}
	t := table{header: []string{"VALUE", "TYPE", "DATA"}}
	for _, v := range key.GetValues() {
		t.add(valueName(v), v.GetType(), strings.Join(valueLines(v), ", "))
	}
	t.write(b, "")
}

// valueName shows the value without a name as regedit does.
func valueName(v *apiv1.RegistryValue) string { return cmp.Or(v.GetName(), "(default)") }

// valueLines gives the data in words: a line for each text of a REG_MULTI_SZ, else one.
func valueLines(v *apiv1.RegistryValue) []string {
	lines := []string{v.GetText()}
	if v.GetType() == registry.MultiSZ.String() {
		lines = strings.Split(v.GetText(), "\n")
	}
	for i, line := range lines {
		lines[i] = clean(line)
	}
	return lines
}

func newRegistryGetCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "get PATH [NAME]",
		Short: "Show one value",
		Long: `Show the data of one value: text, a number, or hex; a REG_MULTI_SZ has a line for each
of its texts. Without NAME the key's default value.`,
		Example: `  spoolhost registry get 'Monitors\Acme Port\Ports\A1' host
  spoolhost registry get 'Monitors\Acme Port\Ports\A1' host -o json | jq -r .type`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.GetValue(ctx, &apiv1.GetValueRequest{Spooler: c.spooler, Path: args[0], Name: strings.Join(args[1:], "")})
			if err != nil {
				return err
			}
			v := resp.GetValue()
			return c.out.object(v, func(b *strings.Builder) { b.WriteString(strings.Join(valueLines(v), "\n") + "\n") })
		}),
	}
}

func newRegistrySetCommand(opts *options) *cobra.Command {
	var typeName string
	cmd := &cobra.Command{
		Use:   "set PATH NAME [DATA...]",
		Short: "Store a value",
		Long: `Store a value, and make its key if there is none. NAME '' is the key's default value. DATA
is read by --type: text for REG_SZ and REG_EXPAND_SZ, any number of texts for REG_MULTI_SZ,
a number (decimal, or hex after 0x) for REG_DWORD and REG_QWORD, hex for REG_BINARY and
REG_NONE.`,
		Example: `  spoolhost registry set 'Monitors\Acme Port' Timeout 30 --type REG_DWORD
  spoolhost registry set 'Monitors\Acme Port' Hosts a.example b.example --type REG_MULTI_SZ`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			value, err := parseValue(args[1], typeName, args[2:])
			if err != nil {
				return err
			}
			if _, err := c.SetValue(ctx, &apiv1.SetValueRequest{Spooler: c.spooler, Path: args[0], Value: value}); err != nil {
				return err
			}
			return c.out.done("value %s of %s set", valueName(value), args[0])
		}),
	}
	cmd.Flags().StringVar(&typeName, "type", "REG_SZ", "type of the value, such as REG_SZ or REG_DWORD")
	completeFlag(cmd, "type", cobra.FixedCompletions(valueTypes(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newRegistryDeleteCommand(opts *options) *cobra.Command {
	var tree bool
	cmd := &cobra.Command{
		Use:   "delete PATH {NAME | --tree}",
		Short: "Delete a value, or a key and all below it",
		Long: `Delete one value of a key, or with --tree the key itself and everything below it. NAME ''
is the key's default value. There is no question and no way back; "registry export" keeps
a copy.`,
		Example: `  spoolhost registry delete 'Monitors\Acme Port' Timeout
  spoolhost registry delete 'Monitors\Acme Port\Ports\A1' --tree`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if tree == (len(args) == 2) {
				return usagef("name either a value of %s to delete, or --tree for the key and all below it", args[0])
			}
			req := &apiv1.DeleteValueRequest{Spooler: c.spooler, Path: args[0], Name: strings.Join(args[1:], ""), Tree: tree}
			if _, err := c.DeleteValue(ctx, req); err != nil {
				return err
			}
			if tree {
				return c.out.done("key %s deleted", args[0])
			}
			return c.out.done("value %s of %s deleted", cmp.Or(args[1], "(default)"), args[0])
		}),
	}
	cmd.Flags().BoolVar(&tree, "tree", false, "delete the key itself and all below it")
	return cmd
}

func newRegistryExportCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "export [PATH]",
		Short: "Write out a key and all below it",
		Long: `Write out a key and all below it, parents first; without PATH the whole registry of the
spooler. The default is a text to read; -o json is exact: the data stands there in base64.`,
		Example: `  spoolhost registry export 'Monitors'
  spoolhost registry export -o json > registry.json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			stream, err := c.ExportKey(ctx, &apiv1.ExportKeyRequest{Spooler: c.spooler, Path: strings.Join(args, "")})
			keys, err := collect(stream, err, func(r *apiv1.ExportKeyResponse) []*apiv1.RegistryKey {
				return []*apiv1.RegistryKey{r.GetKey()}
			})
			if err != nil {
				return err
			}
			if c.out.json {
				return c.out.raw(messagesJSON(keys))
			}
			var b strings.Builder
			showExport(&b, keys)
			return c.out.text(&b)
		}),
	}
}

func showExport(b *strings.Builder, keys []*apiv1.RegistryKey) {
	for i, key := range keys {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, "[%s]\n", clean(key.GetPath()))
		for _, v := range key.GetValues() {
			fmt.Fprintf(b, "%s = %s: %s\n", clean(valueName(v)), clean(v.GetType()), strings.Join(valueLines(v), ", "))
		}
	}
}
