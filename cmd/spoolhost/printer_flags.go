package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

const printerSettingsHelp = `The policy says what happens to a job whose attempt ended without a result, because the
monitor crashed or the host was killed: retry (from the first byte), hold, or cancel. A job
whose attempts fail --max-attempts times is held. A device may take its time, unless
--job-limit says how long one document may hold its port. Times of day are UTC; --start and --until
that are equal mean always. Who may print is for --allow and --deny: names, and groups as @NAME;
"--allow all", "--deny none" and "--format any" undo a list.

--start-printing while-spooling sends a long document to the port while it is still being
received. If its submitter breaks off then, the device has a part of it.`

// printerFlags are the settings of a printer as flags.
type printerFlags struct {
	ports                                  []string
	comment, location, policy              string
	maxAttempts, priority, defaultPriority uint32
	start, until                           string
	keep                                   bool
	jobLimit                               time.Duration
	accept, holdNew                        bool
	formats, allow, deny                   []string
	driver, startPrinting                  string
}

func (p *printerFlags) register(cmd *cobra.Command, opts *options) {
	flags := cmd.Flags()
	flags.StringArrayVar(&p.ports, "port", nil, "a port to print to (repeatable: a pool)")
	flags.StringVar(&p.comment, "comment", "", "a comment")
	flags.StringVar(&p.location, "location", "", "where the device stands")
	flags.StringVar(&p.policy, "policy", "", "after a crash: retry, hold or cancel (default retry)")
	flags.Uint32Var(&p.maxAttempts, "max-attempts", 0, "attempts that may fail before a job is held; 0 is without limit (default 5)")
	flags.Uint32Var(&p.priority, "priority", 0, "1 to 99; among printers that share a port the higher goes first (default 1)")
	flags.Uint32Var(&p.defaultPriority, "default-priority", 0, "priority of jobs that name none, 1 to 99 (default 1)")
	flags.StringVar(&p.start, "start", "", "print from HH:MM (UTC)")
	flags.StringVar(&p.until, "until", "", "print until HH:MM (UTC)")
	flags.BoolVar(&p.keep, "keep-printed-jobs", false, "keep printed documents, so that their jobs can be restarted")
	flags.DurationVar(&p.jobLimit, "job-limit", 0, "the longest that one document may hold a port, such as 30m; 0 is without limit (default 0)")
	flags.BoolVar(&p.accept, "accept", true, "take new jobs; --accept=false refuses them")
	flags.BoolVar(&p.holdNew, "hold-new", false, "hold new jobs until they are released")
	flags.StringArrayVar(&p.formats, "format", nil, "a media type that the printer takes, such as application/pdf (repeatable); any: every known one")
	flags.StringArrayVar(&p.allow, "allow", nil, "a user or @group that may print (repeatable); all: everybody")
	flags.StringArrayVar(&p.deny, "deny", nil, "a user or @group that may not print (repeatable); none: nobody")
	flags.StringVar(&p.driver, "driver", "", "the driver that clients need, see spoolhost driver list; '' for none")
	flags.StringVar(&p.startPrinting, "start-printing", "", "after-spooling or while-spooling (default after-spooling)")
	completeFlag(cmd, "start-printing", cobra.FixedCompletions([]string{"after-spooling", "while-spooling"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "driver", complete(opts, 0, driverNames))
	completeFlag(cmd, "port", completePorts(opts, 0))
	completeFlag(cmd, "policy", cobra.FixedCompletions([]string{"retry", "hold", "cancel"}, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"comment", "location", "max-attempts", "priority", "default-priority", "start", "until", "job-limit", "format", "allow", "deny"} {
		completeFlag(cmd, name, cobra.NoFileCompletions)
	}
}

// message gives the settings that stand on the command line, and no others.
func (p *printerFlags) message(flags *pflag.FlagSet) (*apiv1.PrinterSettings, error) {
	m := &apiv1.PrinterSettings{
		Ports:           p.ports,
		Comment:         ifChanged(flags, "comment", &p.comment),
		Location:        ifChanged(flags, "location", &p.location),
		Policy:          ifChanged(flags, "policy", &p.policy),
		MaxAttempts:     ifChanged(flags, "max-attempts", &p.maxAttempts),
		Priority:        ifChanged(flags, "priority", &p.priority),
		DefaultPriority: ifChanged(flags, "default-priority", &p.defaultPriority),
		KeepPrintedJobs: ifChanged(flags, "keep-printed-jobs", &p.keep),
	}
	m.Driver = ifChanged(flags, "driver", &p.driver)
	m.StartPrinting = ifChanged(flags, "start-printing", &p.startPrinting)
	m.Accepting, m.HoldNewJobs = ifChanged(flags, "accept", &p.accept), ifChanged(flags, "hold-new", &p.holdNew)
	m.Formats, m.Allow, m.Deny = nameList(p.formats, "any"), nameList(p.allow, "all"), nameList(p.deny, "none")
	if flags.Changed("job-limit") {
		m.JobLimit = durationpb.New(p.jobLimit)
	}
	var err error
	if m.StartTime, err = timeIfChanged(flags, "start", p.start); err != nil {
		return nil, err
	}
	m.UntilTime, err = timeIfChanged(flags, "until", p.until)
	return m, err
}

// nameList gives a list that stands on the command line; the word alone is an empty one.
func nameList(names []string, word string) *apiv1.NameList {
	switch {
	case len(names) == 0:
		return nil
	case len(names) == 1 && names[0] == word:
		return &apiv1.NameList{}
	}
	return &apiv1.NameList{Names: names}
}

func ifChanged[T any](flags *pflag.FlagSet, name string, value *T) *T {
	if flags.Changed(name) {
		return value
	}
	return nil
}

func timeIfChanged(flags *pflag.FlagSet, name, value string) (*uint32, error) {
	if !flags.Changed(name) {
		return nil, nil
	}
	minutes, err := parseTimeOfDay(value)
	return &minutes, err
}

// require makes a flag mandatory that the program just defined.
func require(cmd *cobra.Command, flag string) {
	if err := cmd.MarkFlagRequired(flag); err != nil {
		panic(err) // The flag does not exist: a defect that the first test run shows.
	}
}
