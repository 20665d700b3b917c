package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/pointprinttest"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// kindTimeout bounds the question what a module is.
const kindTimeout = 20 * time.Second

// verifyNamed checks a Point and Print module or a driver's event module; done is false for
// any other, also for one that does not start, of which the kit of monitors says why.
func verifyNamed(cmd *cobra.Command, o output, args []string, kit monitortest.Options) (done bool, err error) {
	path, err := executable(args[0])
	if err != nil {
		return true, err
	}
	subject := pointprinttest.Executable(path, args[1:]...)
	ctx, cancel := context.WithTimeout(cmd.Context(), kindTimeout)
	defer cancel()
	if kind, err := subject.Kind(ctx); err != nil || kind != wire.KindPointPrint && kind != wire.KindDriver {
		return false, nil
	}
	var each func(monitortest.Result)
	if !o.json {
		each = func(r monitortest.Result) { showResult(o, r) }
	}
	report, err := pointprinttest.Verify(cmd.Context(), subject, pointprinttest.Options{Timeout: kit.Timeout, Grace: kit.Grace, Only: kit.Only}, each)
	if err != nil {
		return true, usagef("%s: %v", args[0], err)
	}
	return true, conclude(o, args[0], report)
}
