package supervisor

import (
	"os"
	"os/exec"
)

func setGroup(*exec.Cmd, []*os.File) {}

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func terminate(int) {}
