package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/host/share"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func newDriverCommand(opts *options) *cobra.Command {
	group := newGroupCommand("driver", "Install and show printer drivers",
		`A driver is a set of files that clients of a printer need, for one environment and one
version, and a name. The host keeps them in its share PRINT$ and runs none of them; what a
driver has to say to events is an installed module of kind driver.`,
		`  spoolhost driver add "HP Color" --environment "Windows x64" --driver hpc.dll --data hpc.gpd --config hpcui.dll
  spoolhost printer set HpColor --driver "HP Color"
  spoolhost driver list`,
		newDriverAddCommand(opts), newDriverListCommand(opts), newDriverShowCommand(opts), newDriverRemoveCommand(opts))
	addSpoolerFlag(group, opts)
	return group
}

// driverFlags are DRIVER_INFO_8 as flags. Files are paths of this machine.
type driverFlags struct {
	info                       *apiv1.DriverInfo
	driver, data, config, help string
	dependent, profiles        []string
	replace                    bool
}

func newDriverAddCommand(opts *options) *cobra.Command {
	f := &driverFlags{info: &apiv1.DriverInfo{}}
	cmd := &cobra.Command{
		Use:   "add NAME [--driver FILE] [--data FILE] [--config FILE] [--file FILE]...",
		Short: "Install a printer driver",
		Long: `Install a driver with its files, which are sent to the host: all or nothing. They come to lie
in the directory of their environment and version (x64\3), colour profiles in Color. A file
of the same name and another content that belongs to another driver is refused. Only
administrators may do this.`,
		Example: `  spoolhost driver add "HP Color" --driver hpc.dll --data hpc.gpd --config hpcui.dll --file hpc.hlp
  spoolhost driver add "Generic" --environment "Linux x64" --data generic.ppd --module genericdriver`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			f.info.Name = args[0]
			d, err := c.addDriver(ctx, f)
			if err != nil {
				return err
			}
			return results(c.out, []*apiv1.DriverInfo{d}, true, func(d *apiv1.DriverInfo) string {
				return fmt.Sprintf("driver %s installed for %s, version %d: %d files", d.GetName(), d.GetEnvironment(), d.GetVersion(), len(d.GetFiles()))
			})
		}),
	}
	f.register(cmd, opts)
	return cmd
}

func (f *driverFlags) register(cmd *cobra.Command, opts *options) {
	flags := cmd.Flags()
	flags.StringVar(&f.info.Environment, "environment", "Windows x64", "what the driver is for")
	flags.Uint32Var(&f.info.Version, "driver-version", 3, "cVersion: 3 or 4, older environments have others")
	flags.StringVar(&f.driver, "driver", "", "the driver's own file")
	flags.StringVar(&f.data, "data", "", "its data file, such as a GPD or PPD")
	flags.StringVar(&f.config, "config", "", "its configuration file")
	flags.StringVar(&f.help, "help-file", "", "its help file")
	flags.StringArrayVar(&f.dependent, "file", nil, "another file that it needs (repeatable)")
	flags.StringArrayVar(&f.profiles, "profile", nil, "a colour profile (repeatable)")
	flags.StringVar(&f.info.Module, "module", "", "the installed module of kind driver that is told of its printers' events")
	flags.StringVar(&f.info.MonitorName, "monitor", "", "its language monitor")
	flags.StringVar(&f.info.DefaultDataType, "datatype", "", "its default datatype")
	flags.StringVar(&f.info.Manufacturer, "manufacturer", "", "who made it")
	flags.StringVar(&f.info.Provider, "provider", "", "who publishes it")
	flags.StringVar(&f.info.HardwareId, "hardware-id", "", "the devices that it is for")
	flags.StringVar(&f.info.OemUrl, "url", "", "where there is more about it")
	flags.StringArrayVar(&f.info.PreviousNames, "previous-name", nil, "a name that it had before (repeatable)")
	flags.BoolVar(&f.replace, "replace", false, "replace it if it is installed")
	completeFlag(cmd, "environment", cobra.FixedCompletions(share.Environments(), cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "module", complete(opts, 0, moduleNames))
	for _, name := range []string{"driver-version", "monitor", "datatype", "manufacturer", "provider", "hardware-id", "url", "previous-name"} {
		completeFlag(cmd, name, cobra.NoFileCompletions)
	}
}

// files gives the paths by plain name, and enters the names.
func (f *driverFlags) files() (map[string]string, error) {
	paths := make(map[string]string)
	var failed error
	name := func(path string) string {
		if path == "" {
			return ""
		}
		base := filepath.Base(path)
		if other, ok := paths[base]; ok && other != path {
			failed = usagef("two of the files are called %q; a driver's files have different names", base)
		}
		paths[base] = path
		return base
	}
	f.info.DriverPath, f.info.DataFile, f.info.ConfigFile, f.info.HelpFile = name(f.driver), name(f.data), name(f.config), name(f.help)
	for _, path := range f.dependent {
		f.info.DependentFiles = append(f.info.DependentFiles, name(path))
	}
	for _, path := range f.profiles {
		f.info.ColorProfiles = append(f.info.ColorProfiles, name(path))
	}
	return paths, failed
}

func (c *call) addDriver(ctx context.Context, f *driverFlags) (*apiv1.DriverInfo, error) {
	paths, err := f.files()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.AddPrinterDriver(ctx)
	if err != nil {
		return nil, err
	}
	send := func(r *apiv1.AddPrinterDriverRequest) error { return stream.Send(r) }
	err = send(&apiv1.AddPrinterDriverRequest{Request: &apiv1.AddPrinterDriverRequest_Start{
		Start: &apiv1.AddPrinterDriverStart{Spooler: c.spooler, Driver: f.info, Replace: f.replace},
	}})
	for name, path := range paths {
		if err != nil {
			break
		}
		err = sendDriverFile(send, name, path)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	resp, err := stream.CloseAndRecv()
	return resp.GetDriver(), err
}

func sendDriverFile(send func(*apiv1.AddPrinterDriverRequest) error, name, path string) error {
	file, size, err := openLocal(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	err = send(&apiv1.AddPrinterDriverRequest{Request: &apiv1.AddPrinterDriverRequest_File{File: &apiv1.DriverFileHeader{Name: name, Size: size}}})
	if err != nil {
		return err
	}
	return sendParts(file, func(b []byte) error {
		return send(&apiv1.AddPrinterDriverRequest{Request: &apiv1.AddPrinterDriverRequest_Data{Data: b}})
	})
}

func newDriverListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "list",
		Short:             "List the installed drivers",
		Long:              `List the installed drivers in order of name and environment, the newest version first.`,
		Example:           `  spoolhost driver list`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			resp, err := c.EnumPrinterDrivers(ctx, &apiv1.EnumPrinterDriversRequest{Spooler: c.spooler})
			if err != nil {
				return err
			}
			return list(c.out, resp.GetDrivers(), "no drivers", []string{"NAME", "ENVIRONMENT", "VERSION", "FILES", "MODULE"}, func(d *apiv1.DriverInfo) []string {
				return []string{d.GetName(), d.GetEnvironment(), fmt.Sprint(d.GetVersion()), fmt.Sprint(len(d.GetFiles())), orDash(d.GetModule())}
			})
		}),
	}
}

func newDriverShowCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a driver",
		Long:              `Show what is known of a driver for each environment and version, and its files in PRINT$.`,
		Example:           `  spoolhost driver show "HP Color"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(opts, 1, driverNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.EnumPrinterDrivers(ctx, &apiv1.EnumPrinterDriversRequest{Spooler: c.spooler, Name: args[0]})
			if err != nil {
				return err
			}
			if len(resp.GetDrivers()) == 0 {
				return share.UnknownDriver(args[0])
			}
			return c.out.object(resp, func(b *strings.Builder) {
				for i, d := range resp.GetDrivers() {
					if i > 0 {
						b.WriteByte('\n')
					}
					showDriver(b, d)
				}
			})
		}),
	}
}

func showDriver(b *strings.Builder, d *apiv1.DriverInfo) {
	var s sheet
	s.add("driver", d.GetName())
	s.add("environment", d.GetEnvironment())
	s.add("version", fmt.Sprint(d.GetVersion()))
	for _, line := range []struct{ label, text string }{
		{"driver file", d.GetDriverPath()}, {"data file", d.GetDataFile()}, {"configuration file", d.GetConfigFile()}, {"help file", d.GetHelpFile()},
		{"other files", strings.Join(d.GetDependentFiles(), ", ")}, {"colour profiles", strings.Join(d.GetColorProfiles(), ", ")},
		{"event module", d.GetModule()}, {"language monitor", d.GetMonitorName()}, {"default datatype", d.GetDefaultDataType()},
		{"manufacturer", d.GetManufacturer()}, {"provider", d.GetProvider()}, {"hardware id", d.GetHardwareId()}, {"url", d.GetOemUrl()},
		{"previous names", strings.Join(d.GetPreviousNames(), ", ")},
	} {
		if line.text != "" {
			s.add(line.label, line.text)
		}
	}
	s.add("installed", localTime(d.GetAddedAt()))
	for _, f := range d.GetFiles() {
		s.add("file", fmt.Sprintf(`PRINT$\%s, %d bytes, BLAKE3 %s`, f.GetPath(), f.GetSize(), f.GetDigest()))
	}
	s.write(b)
}

func newDriverRemoveCommand(opts *options) *cobra.Command {
	req := &apiv1.DeletePrinterDriverRequest{}
	var version uint32
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Uninstall a printer driver",
		Long: `Uninstall a driver that no printer has, with the files that nobody else needs; for all
environments and versions, or for those that are given. Only administrators may do this.`,
		Example:           `  spoolhost driver remove "HP Color" --environment "Windows x64"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(opts, 1, driverNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			req.Spooler, req.Name, req.Version = c.spooler, args[0], ifChanged(cmd.Flags(), "driver-version", &version)
			if _, err := c.DeletePrinterDriver(ctx, req); err != nil {
				return err
			}
			return c.out.done("driver %s removed", args[0])
		}),
	}
	cmd.Flags().StringVar(&req.Environment, "environment", "", "for this environment only")
	cmd.Flags().Uint32Var(&version, "driver-version", 0, "this version only")
	completeFlag(cmd, "environment", cobra.FixedCompletions(share.Environments(), cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "driver-version", cobra.NoFileCompletions)
	return cmd
}

func driverNames(ctx context.Context, c *client, spooler string) ([]cobra.Completion, error) {
	resp, err := c.EnumPrinterDrivers(ctx, &apiv1.EnumPrinterDriversRequest{Spooler: spooler})
	return offers(resp.GetDrivers(), (*apiv1.DriverInfo).GetName, (*apiv1.DriverInfo).GetEnvironment), err
}
