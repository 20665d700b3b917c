package hosttest

import (
	"os"
	"path/filepath"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
)

// MonitorArg is the argument that makes a test binary a module; see ServeMonitor.
const MonitorArg = mockmonitor.Argument

// ServeMonitor makes the process a mockmonitor if it was started as one, and else returns
// at once. Call it first in TestMain; Monitor says how to start it. The settings of its
// ports say what they do wrong: see mockmonitor.Script.
func ServeMonitor() { mockmonitor.ServeIfAsked(mockmonitor.Options{}) }

// Monitor gives the running binary as a monitor of this name.
func Monitor(name string) catalog.Monitor {
	path, err := unraced.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		path = os.Args[0]
	}
	return catalog.Monitor{Name: name, Path: path, Args: []string{MonitorArg}}
}
