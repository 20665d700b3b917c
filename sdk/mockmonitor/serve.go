package mockmonitor

import (
	"os"

	"github.com/spoolhost/spoolhost/sdk/monitor"
)

// Argument is the argument that makes a test binary a mock; see ServeIfAsked.
const Argument = "spoolhost-mock-monitor"

// Serve runs the process as a mock until the host ends it.
func Serve(opts Options) {
	monitor.Serve(New(opts).Initialize, monitor.Name("mock monitor"), monitor.Version("1"))
}

// ServeIfAsked makes the process a mock if Argument is its first argument, and else
// returns at once. Call it first in TestMain, and install os.Executable() with Argument.
func ServeIfAsked(opts Options) {
	if len(os.Args) > 1 && os.Args[1] == Argument {
		Serve(opts)
	}
}
