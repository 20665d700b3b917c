package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/pointprinttest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

const verifyLong = `Check a module, in any language, against the contract: start it as a host does, and try
it rule by rule. No host is needed, and none of what is installed is touched.

Of a port monitor the kit must be able to add a port. Each --set gives one setting of it, as "port add" would;
in them, and in --name, placeholders are replaced anew for each port:

    {{sink}}, {{sink.host}}, {{sink.port}}   a TCP printer of the kit's
    {{file}}                                 a file that does not exist yet
    {{dir}}                                  an empty directory
    {{n}}                                    a number

A Point and Print module and a driver's event module are known by what they say of
themselves, and need no settings: the kit has a printer with a colour profile for them.

A user interface is checked together with the monitor that it is for, which --monitor names,
with its arguments in --monitor-arg; then each --set answers a field.

With a {{sink}} or a {{file}} every byte that comes out is compared. A rule that could not be
checked is listed with the reason. The exit code is 9 if a rule is broken.`

// brokenRulesError is the outcome of module verify for a module that breaks rules.
type brokenRulesError struct{ message string }

func (e *brokenRulesError) Error() string { return e.message }

func newModuleVerifyCommand(opts *options) *cobra.Command {
	var settings []string
	kit := monitortest.Options{}
	var server serverModule
	list := false
	cmd := &cobra.Command{
		Use: "verify PATH [--set KEY=VALUE]... [-- ARGUMENT...]", Short: "Check a module against the contract of its kind",
		Long: verifyLong,
		Example: `  spoolhost module verify ./acme --set address={{sink}}
  spoolhost module verify ./acme --set address={{sink}} --only document.data --only device.slow
  spoolhost module verify ./acme-ui --monitor ./acme --set address=10.0.0.5
  spoolhost module verify ./acme-color
  spoolhost module verify --list
  spoolhost module verify "$(command -v node)" --set address={{sink}} -o json -- monitor.js`,
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.MinimumNArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if list {
				return listRules(newOutput(cmd, opts))
			}
			if kit.Settings, err = parseSettings(settings); err != nil {
				return err
			}
			if server.path != "" {
				return verifyUI(cmd, newOutput(cmd, opts), args, server, kit)
			}
			if opts.bounded {
				kit.Timeout = opts.timeout
			}
			if done, err := verifyNamed(cmd, newOutput(cmd, opts), args, kit); done {
				return err
			}
			if err := checkRuleNames(kit.Only); err != nil {
				return err
			}
			return verifyModule(cmd, newOutput(cmd, opts), args, kit)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&settings, "set", nil, "a setting of the ports added, KEY=VALUE (repeatable)")
	flags.StringVar(&kit.PortName, "name", "", "the name of the ports added (default \"Test {{n}}\")")
	flags.StringArrayVar(&kit.Only, "only", nil, "the id of a rule to check (repeatable; default all)")
	flags.DurationVar(&kit.Grace, "grace", 5*time.Second, "how long a call may go on after it was cancelled")
	flags.BoolVar(&list, "list", false, "list the rules, and check nothing")
	server.register(cmd)
	completeFlag(cmd, "only", cobra.FixedCompletions(ruleIDs(), cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "set", cobra.NoFileCompletions)
	completeFlag(cmd, "name", cobra.NoFileCompletions)
	completeFlag(cmd, "grace", cobra.NoFileCompletions)
	return cmd
}

func ruleIDs() (ids []string) {
	for _, r := range allRules() {
		if !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// allRules are those of monitors, and of the kinds of pointprinttest.
func allRules() []monitortest.Rule {
	return slices.Concat(monitortest.Rules(), pointprinttest.Rules(wire.KindPointPrint), pointprinttest.Rules(wire.KindDriver))
}

func checkRuleNames(only []string) error {
	known := ruleIDs()
	for _, id := range only {
		if !slices.Contains(known, id) {
			return usagef("rule %q is unknown; module verify --list names them", id)
		}
	}
	return nil
}

func listRules(o output) error {
	if o.json {
		return o.raw(json.Marshal(allRules()))
	}
	t := table{header: []string{"RULE", "WHAT HOLDS", "SOURCE"}}
	for _, r := range allRules() {
		t.add(r.ID, r.Text, r.Source)
	}
	var b strings.Builder
	t.write(&b, "")
	return o.text(&b)
}

// executable finds the file of a module.
func executable(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if _, statErr := os.Stat(name); os.IsNotExist(statErr) {
		return "", spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "there is no file %q; give the path of the module", name)
	}
	return "", usagef("%q cannot be executed: %v", name, err)
}

func verifyModule(cmd *cobra.Command, o output, args []string, kit monitortest.Options) error {
	path, err := executable(args[0])
	if err != nil {
		return err
	}
	var each func(monitortest.Result)
	if !o.json {
		each = func(r monitortest.Result) { showResult(o, r) }
	}
	report := monitortest.Verify(cmd.Context(), monitortest.Executable(path, args[1:]...), kit, each)
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	return conclude(o, args[0], report)
}

// conclude shows a report and makes broken rules an error.
func conclude(o output, subject string, report monitortest.Report) error {
	if err := showReport(o, report); err != nil {
		return err
	}
	if !report.OK() {
		return &brokenRulesError{fmt.Sprintf("%s breaks %s", subject, counted(len(report.With(monitortest.Fail)), "rule"))}
	}
	return nil
}

// showResult writes one rule as soon as it is checked: all of them take a while.
func showResult(o output, r monitortest.Result) {
	const width = 22 // of the longest id
	if r.Outcome != monitortest.Fail {
		fmt.Fprintln(o.w, strings.TrimRight(clean(fmt.Sprintf("%-11s  %-*s  %s", r.Outcome, width, r.ID, r.Detail)), " "))
		return
	}
	fmt.Fprintf(o.w, "%-11s  %-*s  %s\n", "FAIL", width, r.ID, clean(r.Detail))
	indent := strings.Repeat(" ", 11+2+width+2)
	fmt.Fprintf(o.w, "%srule: %s\n%ssource: %s\n", indent, r.Text, indent, r.Source)
	for _, line := range r.Output {
		fmt.Fprintf(o.w, "%s> %s\n", indent, clean(line))
	}
}

func showReport(o output, report monitortest.Report) error {
	if o.json {
		return o.raw(json.Marshal(report))
	}
	_, err := fmt.Fprintf(o.w, "\n%d passed, %d failed, %d not checked\n", len(report.With(monitortest.Pass)),
		len(report.With(monitortest.Fail)), len(report.With(monitortest.NotChecked)))
	return err
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
