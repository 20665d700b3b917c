//go:build unix && !linux

package supervisor

import (
	"os"
	"os/exec"
	"syscall"
)

func setGroup(cmd *exec.Cmd, files []*os.File) {
	cmd.ExtraFiles = files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

func terminate(pid int) { _ = syscall.Kill(-pid, syscall.SIGTERM) }
