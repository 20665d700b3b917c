//go:build !linux

package supervisor

import (
	"os"
	"os/exec"
)

// prepare runs the path: this system cannot execute an open file.
func prepare(cmd *exec.Cmd, path string, lifeline, image *os.File) {
	cmd.Path, cmd.Err = path, nil
	setGroup(cmd, lifeline, image)
}

func awaitExit(int) {}
