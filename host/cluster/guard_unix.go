//go:build unix

package cluster

import (
	"os/signal"
	"syscall"
)

// apartFromHost keeps signals to the host's process group from its guard.
func apartFromHost() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// ignoreStops lets the guard outlive a host that shuts down in order: it ends with it.
func ignoreStops() { signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) }

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
