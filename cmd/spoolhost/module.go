package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/plugins/cupsbackend"
	"github.com/spoolhost/spoolhost/plugins/ippmon"
	"github.com/spoolhost/spoolhost/plugins/localmon"
	"github.com/spoolhost/spoolhost/plugins/lprmon"
	"github.com/spoolhost/spoolhost/plugins/tcpmon"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// firstParty is a module of this program: the program itself, launched through the same
// door as a vendor's.
type firstParty struct {
	module, version string
	// monitor is the name it is installed under.
	monitor string
	// args are what it needs of the host's configuration.
	args func(host.Config) []string
	// initialize is InitializePrintMonitor2 of a module served with flags.
	initialize func(moduleFlags) monitor.Initialize
}

// moduleFlags are the flags of module serve: what firstParty.args gives.
type moduleFlags struct{ allow, backends []string }

// backendUser runs the CUPS backends that do not need root, as CUPS has it.
const backendUser = "lp"

func firstParties() []firstParty {
	all := []firstParty{
		{module: "tcpmon", version: tcpmon.Version, monitor: tcpmon.Name, initialize: always(tcpmon.Initialize)},
		{
			module: "localmon", version: localmon.Version, monitor: localmon.Name,
			args:       func(c host.Config) []string { return repeat("--allow", c.LocalDirectories) },
			initialize: func(f moduleFlags) monitor.Initialize { return localmon.New(f.allow) },
		},
		{module: "lprmon", version: lprmon.Version, monitor: lprmon.Name, initialize: always(lprmon.Initialize)},
		{module: "ippmon", version: ippmon.Version, monitor: ippmon.Name, initialize: always(ippmon.Initialize)},
	}
	if !cupsbackend.Supported {
		return all
	}
	return append(all, firstParty{
		module: "cupsbackend", version: cupsbackend.Version, monitor: cupsbackend.Name,
		args:       func(c host.Config) []string { return repeat("--backends", c.CUPSBackends) },
		initialize: func(f moduleFlags) monitor.Initialize { return cupsbackend.New(f.backends, backendUser) },
	})
}

func always(initialize monitor.Initialize) func(moduleFlags) monitor.Initialize {
	return func(moduleFlags) monitor.Initialize { return initialize }
}

func repeat(flag string, values []string) (args []string) {
	for _, v := range values {
		args = append(args, flag, v)
	}
	return args
}

// builtins are the monitors that come with the program.
func builtins(cfg host.Config) ([]catalog.Monitor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "the program's own path is not known")
	}
	var all []catalog.Monitor
	for _, p := range firstParties() {
		m := catalog.Monitor{Name: p.monitor, Path: self, Args: []string{"module", "serve", p.module}, ModuleName: p.module, ModuleVersion: p.version}
		if p.args != nil {
			m.Args = append(m.Args, p.args(cfg)...)
		}
		all = append(all, m)
	}
	return all, nil
}

func newModuleCommand(opts *options) *cobra.Command {
	return newGroupCommand("module", "Write, check and install modules",
		`Modules are the executables that a host launches: a vendor's, or one of this program's own.
Monitors are installed by "spoolhost monitor add"; what is installed here are the modules
that others name: a monitor its user interface, the printer data of a queue its Point and
Print module, a driver its event module. A vendor begins with "module new", and hands over
what passes "module verify".`,
		"  spoolhost module list\n  spoolhost module add acmeui --kind monitorui --module ./acme-ui\n  spoolhost module verify ./acme --set address={{sink}}",
		newModuleAddCommand(opts), newModuleListCommand(opts), newModuleShowCommand(opts), newModuleRemoveCommand(opts),
		newModulePublishCommand(opts), newModuleFetchCommand(opts), newModuleWithdrawCommand(opts),
		newModuleNewCommand(opts), newModuleVerifyCommand(opts), newModuleServeCommand())
}

func newModuleServeCommand() *cobra.Command {
	var flags moduleFlags
	var names []string
	for _, p := range firstParties() {
		names = append(names, p.module)
	}
	for _, p := range firstPartyNames() {
		names = append(names, p.name)
	}
	cmd := &cobra.Command{
		Use: "serve NAME", Short: "Be one of the first-party modules; a host runs this",
		Long: "Be one of the first-party modules:\n" + strings.Join(names, ", ") +
			".\nA host launches this command; a person has no use for it.",
		Example:   "  spoolhost module serve tcpmon",
		Args:      cobra.ExactArgs(1),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			for _, p := range firstParties() {
				if p.module == args[0] {
					monitor.Serve(p.initialize(flags), monitor.Name(p.module), monitor.Version(p.version), monitor.StandsBy())
				}
			}
			serveNamed(args[0])
			return usagef("module %q is unknown; this program has %s", args[0], strings.Join(names, ", "))
		},
	}
	cmd.Flags().StringArrayVar(&flags.backends, "backends", nil, "cupsbackend: a directory of CUPS backends that may be run; may be repeated")
	cmd.Flags().StringArrayVar(&flags.allow, "allow", nil, "localmon: a directory below which ports may be; may be repeated")
	return cmd
}
