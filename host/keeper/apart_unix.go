//go:build unix

package keeper

import "syscall"

// apart puts the process into a session of its own: what stops or ends the host's group
// does not reach it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
