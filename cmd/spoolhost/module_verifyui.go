package main

import (
	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/monitoruitest"
)

// serverModule is the monitor that a user interface is for.
type serverModule struct {
	path string
	args []string
}

func (s *serverModule) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.path, "monitor", "", "the monitor that the user interface PATH is for")
	cmd.Flags().StringArrayVar(&s.args, "monitor-arg", nil, "an argument of that monitor (repeatable)")
	completeFlag(cmd, "monitor-arg", cobra.NoFileCompletions)
}

func verifyUI(cmd *cobra.Command, o output, args []string, server serverModule, kit monitortest.Options) error {
	path, err := executable(args[0])
	if err != nil {
		return err
	}
	monitor, err := executable(server.path)
	if err != nil {
		return err
	}
	report := monitoruitest.Verify(cmd.Context(), monitoruitest.Executable(path, args[1:]...), monitoruitest.Options{
		Monitor: monitortest.Executable(monitor, server.args...).Initialize(),
		Answers: kit.Settings, Timeout: kit.Timeout, Grace: kit.Grace,
	})
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if !o.json {
		for _, r := range report.Results {
			showResult(o, r)
		}
	}
	return conclude(o, args[0], report)
}
