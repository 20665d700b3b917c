//go:build unix

package monitortest

import (
	"os"
	"os/exec"
	"syscall"
)

// prepare gives the module what a host gives it: descriptors 3 and 4, a process group.
func prepare(cmd *exec.Cmd, lifeline, image *os.File) {
	cmd.ExtraFiles = []*os.File{lifeline, image}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
