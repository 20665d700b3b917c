package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

const serveLong = `Run a host until it is told to stop.

It keeps everything in the data directory, one host for one directory. It says on one line
of standard output when it is ready, and logs to standard error.

SIGTERM or SIGINT stops it in order: no new documents start, running ones finish or fail
within the resource time-out, modules are shut down, and it exits with 0. A second signal
ends it at once; jobs that were accepted are kept either way.

Who may do what follows from who connects: root and the user that the host runs as
administer, members of the operators group (configuration) operate, everybody else prints
and sees their own jobs. HOST:PORT must be loopback.`

const serveExample = `  # For trying out
  spoolhost serve --data ~/spool

  # As a service
  spoolhost serve --config /etc/spoolhost.hcl --data /var/lib/spoolhost --listen unix:/run/spoolhost/api.sock

  # With health and metrics for a monitoring system
  spoolhost serve --data ~/spool --listen unix:/tmp/spool.sock --listen 127.0.0.1:6310 --http 127.0.0.1:6311`

// hostHeap is what a host of few printers and jobs may let lie before it collects, in bytes.
const hostHeap = 64 << 20

type serveFlags struct {
	config, data, http, ipp, logLevel string
	listen                            []string
}

func newServeCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use: "serve", Short: "Run a host", Long: serveLong, Example: serveExample,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.hostConfig(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "configuration file, in HCL")
	flags.StringVar(&f.data, "data", "", "data directory (default /var/lib/spoolhost for root, else below $XDG_STATE_HOME)")
	flags.StringArrayVar(&f.listen, "listen", nil, "address of the API, unix:PATH or HOST:PORT; may be repeated (default "+defaultAddr()+")")
	flags.StringVar(&f.http, "http", "", "address of health and metrics, HOST:PORT (default none)")
	flags.StringVar(&f.ipp, "ipp", "", "address of IPP for print dialogs, HOST:PORT, or none (default "+host.DefaultIPP+")")
	flags.StringVar(&f.logLevel, "log-level", "info", "trace, debug, info, warn or error")
	completeFlag(cmd, "log-level", cobra.FixedCompletions([]string{"trace", "debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "listen", cobra.NoFileCompletions)
	completeFlag(cmd, "http", cobra.NoFileCompletions)
	completeFlag(cmd, "ipp", cobra.NoFileCompletions)
	return cmd
}

// hostConfig joins defaults, configuration file and flags, the later before the earlier.
func (f serveFlags) hostConfig(log io.Writer) (host.Config, error) {
	cfg := host.DefaultConfig()
	if f.config != "" {
		var err error
		if cfg, err = host.LoadConfig(f.config); err != nil {
			return cfg, err
		}
	}
	if f.data != "" {
		cfg.Data = f.data
	}
	if cfg.Data == "" {
		cfg.Data = defaultData()
	}
	if len(f.listen) > 0 {
		cfg.Listen = f.listen
	}
	if len(cfg.Listen) == 0 {
		cfg.Listen = []string{defaultAddr()}
	}
	if f.http != "" {
		cfg.HTTP = f.http
	}
	f.setIPP(&cfg.IPP)
	level := hclog.LevelFromString(f.logLevel)
	if level == hclog.NoLevel {
		return cfg, usagef("log level %q is unknown; use trace, debug, info, warn or error", f.logLevel)
	}
	cfg.Logger = hclog.New(&hclog.LoggerOptions{Name: "spoolhost", Level: level, Output: log})
	cfg.Version = wire.BuildVersion()
	self, err := os.Executable()
	if err != nil {
		return cfg, spoolerr.As(err, spoolerr.Unavailable, "the program's own file")
	}
	cfg.ClusterGuard = []string{self, cluster.GuardArg}
	if cfg.Builtins, err = builtins(cfg); err != nil {
		return cfg, err
	}
	cfg.BuiltinModules, err = builtinModules()
	return cfg, err
}

// setIPP makes the host reachable for print dialogs of its machine, if it is not told
// otherwise. Only an address that somebody asked for must be free.
func (f serveFlags) setIPP(cfg *host.IPP) {
	switch {
	case f.ipp == "none":
		*cfg = host.IPP{}
	case f.ipp != "":
		cfg.Listen = []string{f.ipp}
	case cfg.Listen == nil:
		cfg.Listen, cfg.Optional = []string{host.DefaultIPP}, true
	}
}

// defaultData is where a host keeps everything if it is not told.
func defaultData() string {
	if os.Getuid() == 0 {
		return "/var/lib/spoolhost"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "spoolhost")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "spoolhost")
}

// serve runs a host until ctx ends, which the first SIGINT or SIGTERM brings about. A
// second one finds the system's own handling and ends the process: modules die with it,
// accepted jobs are on disk.
func serve(ctx context.Context, cfg host.Config, out io.Writer) (retErr error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	h, err := host.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		if err := h.Close(); retErr == nil {
			retErr = err
		}
	}()
	collecting := make(chan struct{})
	go func() {
		defer close(collecting)
		wire.CollectLess(ctx, hostHeap)
	}()
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		select {
		case <-h.Ready():
			fmt.Fprintf(out, "spoolhost is ready: %s%s, data %s, %d monitors, %d printers\n",
				join(h.Addrs()), ippText(h.IPPAddrs()), cfg.Data, len(cfg.Builtins), len(h.Node().Printers()))
		case <-ctx.Done():
		}
	}()
	err = h.Run(ctx)
	stop()
	<-announced
	<-collecting
	if ctx.Err() != nil && spoolerr.KindOf(err) == spoolerr.Cancelled {
		return nil
	}
	return err
}

func ippText(addrs []string) string {
	if len(addrs) == 0 {
		return ""
	}
	return ", ipp at " + join(addrs)
}

func join(addrs []string) string {
	text := ""
	for i, a := range addrs {
		if i > 0 {
			text += ", "
		}
		text += a
	}
	return text
}
