// Command spoolhost is the one binary of the project: the host ("spoolhost serve"), its
// command line, and the first-party modules, which the host launches as
// "spoolhost module serve NAME".
//
// Nobody imports it. A command of the command line speaks to a host through the API only
// (proto/spoolhost/api/v1) and holds no knowledge of spooling of its own.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spoolhost/spoolhost/host/cluster"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == cluster.GuardArg { // a host's own helper, not for people
		if err := cluster.ServeGuard(os.Stdin); err != nil {
			os.Exit(exitFailure)
		}
		return
	}
	ctx, stop := context.Background(), func() {}
	if !isModule(os.Args[1:]) {
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		// The first signal asks; a second one finds no handler any more and ends the process.
		context.AfterFunc(ctx, stop)
	}
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// isModule says that this process is a module of a host, whose signals are the SDK's
// business: caught here, a SIGTERM would end nothing.
func isModule(args []string) bool {
	return len(args) > 1 && args[0] == "module" && args[1] == "serve"
}

// run executes one command line and gives the process's exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	opts := &options{}
	root := newRootCommand(opts, stdout)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	err = classify(ctx, cmd, err)
	report(stderr, err, wantsJSON(opts, args))
	return exitCode(err)
}
