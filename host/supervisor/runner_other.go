//go:build !linux

package supervisor

import (
	"os"
	"os/exec"
)

// prepare runs the path: this system cannot execute an open file.
func prepare(cmd *exec.Cmd, path string, files []*os.File) {
	cmd.Path, cmd.Err = path, nil
	setGroup(cmd, files)
}

// awaitExit returns when the process has ended. It reaps it: this system cannot wait
// without, and so for a moment a Kill may be sent to a number that is free again.
func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }
