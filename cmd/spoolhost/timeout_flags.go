package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/durationpb"
)

// timeoutFlags are the deadlines of calls to a module as flags.
type timeoutFlags struct{ call, resource, grace time.Duration }

func (t *timeoutFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.DurationVar(&t.call, "call-timeout", 0, "the most that a call may take which only controls; 0 is the default")
	flags.DurationVar(&t.resource, "resource-timeout", 0, "the most that a call may take which moves data; 0 is the default")
	flags.DurationVar(&t.grace, "kill-grace", 0, "how long the module may take to react to a cancelled call; 0 is the default")
	for _, name := range []string{"call-timeout", "resource-timeout", "kill-grace"} {
		completeFlag(cmd, name, cobra.NoFileCompletions)
	}
}

// fill sets what stands on the command line, and nothing else.
func (t *timeoutFlags) fill(flags *pflag.FlagSet, call, resource, grace **durationpb.Duration) {
	for _, f := range []struct {
		name string
		from time.Duration
		to   **durationpb.Duration
	}{{"call-timeout", t.call, call}, {"resource-timeout", t.resource, resource}, {"kill-grace", t.grace, grace}} {
		if flags.Changed(f.name) {
			*f.to = durationpb.New(f.from)
		}
	}
}

// addDurations shows those that are set.
func addDurations(s *sheet, call, resource, grace *durationpb.Duration) {
	for _, t := range []struct {
		name string
		d    *durationpb.Duration
	}{{"call timeout", call}, {"resource timeout", resource}, {"kill grace", grace}} {
		if t.d != nil {
			s.add(t.name, t.d.AsDuration().String())
		}
	}
}
