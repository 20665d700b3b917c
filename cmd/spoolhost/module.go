package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/plugins/localmon"
	"github.com/spoolhost/spoolhost/plugins/tcpmon"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// builtins are the monitors that come with the program: the program itself, launched as
// a module through the same door as a vendor's.
func builtins(localDirectories []string) ([]catalog.Monitor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "the program's own path is not known")
	}
	local := []string{"module", "serve", "localmon"}
	for _, d := range localDirectories {
		local = append(local, "--allow", d)
	}
	return []catalog.Monitor{
		{Name: tcpmon.Name, Path: self, Args: []string{"module", "serve", "tcpmon"}, ModuleName: "tcpmon", ModuleVersion: tcpmon.Version},
		{Name: localmon.Name, Path: self, Args: local, ModuleName: "localmon", ModuleVersion: localmon.Version},
	}, nil
}

func newModuleCommand() *cobra.Command {
	return newGroupCommand("module", "Work with modules",
		"Modules are the executables that a host launches: a vendor's, or one of this program's own.",
		"  spoolhost module serve tcpmon",
		newModuleServeCommand())
}

func newModuleServeCommand() *cobra.Command {
	var allowed []string
	cmd := &cobra.Command{
		Use: "serve NAME", Short: "Be one of the first-party modules; a host runs this",
		Long:      "Be one of the first-party modules: tcpmon or localmon. A host launches this command; a person has no use for it.",
		Example:   "  spoolhost module serve tcpmon",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"tcpmon", "localmon"},
		RunE: func(_ *cobra.Command, args []string) error {
			switch args[0] {
			case "tcpmon":
				monitor.Serve(tcpmon.Initialize, monitor.Name("tcpmon"), monitor.Version(tcpmon.Version))
			case "localmon":
				monitor.Serve(localmon.New(allowed), monitor.Name("localmon"), monitor.Version(localmon.Version))
			}
			return usagef("module %q is unknown; this program has tcpmon and localmon", args[0])
		},
	}
	cmd.Flags().StringArrayVar(&allowed, "allow", nil, "localmon: a directory below which ports may be; may be repeated")
	return cmd
}
