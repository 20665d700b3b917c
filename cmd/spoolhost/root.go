package main

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// defaultTimeout bounds one request to the host.
const defaultTimeout = 60 * time.Second

// options are the flags that commands share.
type options struct {
	output  string
	addr    string
	timeout time.Duration
	spooler string
	proof   proof
	// bounded says that --timeout was given, and so bounds also what has no end by itself.
	bounded bool
}

const rootLong = `spoolhost is a print spooler that runs every piece of vendor code in its own process.

A host ("spoolhost serve") holds monitors, which are executables that talk to devices.
Monitors have ports, a port is one device. Printers are queues that print to one port or a
pool of them, and jobs are the documents in the queues.

All commands but serve and demo ask a running host. They find it at --addr, else at
$SPOOLHOST_ADDR, else at the socket where "spoolhost serve" of the same user listens.
With -o json a command prints the API's message: a list is an array, errors are JSON
objects on standard error.

` + exitCodesHelp

const rootExample = `  # See a whole host at work in a minute
  spoolhost demo

  # Run a host, and in another terminal make a printer and print
  spoolhost serve --data ~/spool
  spoolhost port add IP_10.0.0.5 --monitor "Standard TCP/IP Port" --set host=10.0.0.5 --set port=9100
  spoolhost printer add Office --port IP_10.0.0.5
  spoolhost print -p Office --wait report.pdf

  # What happened to it?
  spoolhost why job 1`

// newRootCommand makes the whole tree. Cobra's completion command keeps the writer that
// stands when it is made, so out is needed here already.
func newRootCommand(opts *options, out io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "spoolhost",
		Short:         "A print spooler that no vendor code can take down",
		Long:          rootLong,
		Example:       rootExample,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(out)
	addSharedFlags(root, opts)
	for _, group := range commandGroups() {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, cmd := range group.commands(opts) {
			cmd.GroupID = group.id
			root.AddCommand(cmd)
		}
	}
	addHelpExamples(root)
	markRun(root, opts)
	return root
}

func addSharedFlags(root *cobra.Command, opts *options) {
	flags := root.PersistentFlags()
	flags.StringVarP(&opts.output, "output", "o", outputTable, "output format: table or json")
	flags.StringVar(&opts.addr, "addr", "",
		"the host's address, unix:PATH, tls:HOST:PORT or HOST:PORT (default $"+addressVariable+", else "+defaultAddr()+")")
	flags.DurationVar(&opts.timeout, "timeout", defaultTimeout, "longest time for one request; 0 is without limit")
	opts.proof.add(flags)
	completeFlag(root, "output", cobra.FixedCompletions([]string{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(root, "timeout", cobra.NoFileCompletions)
}

type commandGroup struct {
	id, title string
	commands  func(*options) []*cobra.Command
}

func commandGroups() []commandGroup {
	return []commandGroup{
		{"host", "Run a host:", func(o *options) []*cobra.Command {
			return []*cobra.Command{newServeCommand(), newDemoCommand(), newBenchCommand(o), newIPPCommand(), newClusterCommand(o), newModuleCommand(o)}
		}},
		{"print", "Print:", func(o *options) []*cobra.Command {
			return []*cobra.Command{newPrintCommand(o), newJobCommand(o), newWhyCommand(o)}
		}},
		{"set-up", "Set up and operate:", func(o *options) []*cobra.Command {
			return []*cobra.Command{
				newStatusCommand(o), newMonitorCommand(o), newPortCommand(o), newPrinterCommand(o), newConnectionCommand(o), newDriverCommand(o), newShareCommand(o), newRegistryCommand(o),
				newEventsCommand(o), newXcvCommand(o),
			}
		}},
		{"cluster", "Run a cluster:", func(o *options) []*cobra.Command {
			return []*cobra.Command{newSpoolerCommand(o), newNodeCommand(o)}
		}},
		{"other", "Other:", func(o *options) []*cobra.Command {
			return []*cobra.Command{newVersionCommand(o)}
		}},
	}
}

// addHelpExamples makes cobra's own commands now and gives them what every command has.
func addHelpExamples(root *cobra.Command) {
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Example = "  spoolhost help printer add"
		case "completion":
			cmd.Example = "  source <(spoolhost completion bash)"
			for _, shell := range cmd.Commands() {
				shell.Example = "  spoolhost completion " + shell.Name() + " --help"
			}
		}
	}
}

// markRun marks the errors of every command's own code, and checks the shared flags
// before it runs.
func markRun(cmd *cobra.Command, opts *options) {
	for _, sub := range cmd.Commands() {
		markRun(sub, opts)
	}
	inner := cmd.RunE
	if inner == nil {
		return
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := opts.check(cmd); err != nil {
			return &ranError{err}
		}
		if err := inner(cmd, args); err != nil {
			return &ranError{err}
		}
		return nil
	}
}

// moreOutputs is the annotation of a command that has further values of --output.
const moreOutputs = "more-outputs"

func (o *options) check(cmd *cobra.Command) error {
	formats := append([]string{outputTable, outputJSON}, strings.Fields(cmd.Annotations[moreOutputs])...)
	if !slices.Contains(formats, o.output) {
		return usagef("output format %q is unknown; use %s or %s", o.output, strings.Join(formats[:len(formats)-1], ", "), formats[len(formats)-1])
	}
	if o.timeout < 0 {
		return usagef("--timeout %s is negative; use 0 for no limit", o.timeout)
	}
	o.bounded = cmd.Flags().Changed("timeout") && o.timeout > 0
	return nil
}

// newGroupCommand makes a command that only holds others. Cobra would print its help and
// exit with 0 on a word that it does not know.
func newGroupCommand(use, short, long, example string, subs ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example,
		ValidArgsFunction:          cobra.NoFileCompletions,
		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			return usagef("%s", groupMistake(cmd, args))
		},
	}
	group.AddCommand(subs...)
	return group
}

func groupMistake(cmd *cobra.Command, args []string) string {
	see := "; see \"" + cmd.CommandPath() + " --help\""
	if len(args) == 0 {
		return cmd.CommandPath() + " needs a command after it" + see
	}
	mistake := "unknown command \"" + args[0] + "\" for \"" + cmd.CommandPath() + "\""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		mistake += ", did you mean \"" + near[0] + "\"?"
		return mistake
	}
	return mistake + see
}

// addSpoolerFlag gives a command and those below it the --spooler flag.
func addSpoolerFlag(cmd *cobra.Command, opts *options) {
	cmd.PersistentFlags().StringVar(&opts.spooler, "spooler", "", "name of the spooler meant (default the node's own)")
	completeFlag(cmd, "spooler", completeSpoolers(opts))
}
