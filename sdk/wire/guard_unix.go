//go:build unix

package wire

import "syscall"

// dropInherited closes the descriptor of the executable, which has served.
func dropInherited() {
	var st syscall.Stat_t
	if syscall.Fstat(ExecutableFD, &st) == nil {
		_ = syscall.Close(ExecutableFD)
	}
	syscall.CloseOnExec(LifelineFD)
}

// endGroup kills this process and, where it leads its process group as the launcher
// arranged, everything it started.
func endGroup() {
	if pid := syscall.Getpid(); syscall.Getpgrp() == pid {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}
