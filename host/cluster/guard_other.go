//go:build !unix

package cluster

import (
	"os"
	"syscall"
)

func apartFromHost() *syscall.SysProcAttr { return nil }

func ignoreStops() {}

// killGroup ends the process; what it started ends with the host's job object.
func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}
