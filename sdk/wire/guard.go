package wire

import (
	"io"
	"os"
	"strconv"
)

// guard makes the process die with its host, whatever kills the host: two senders must
// never print one document. The kernel's parent-death signal is the first means, the end
// of file of the inherited pipe the second.
func guard() {
	dieWithParent()
	fd, err := strconv.Atoi(os.Getenv(EnvLifeline))
	if err != nil || fd < 3 {
		return
	}
	dropInherited()
	lifeline := os.NewFile(uintptr(fd), "lifeline")
	// This goroutine's owner is the process: it ends only by ending it.
	go func() {
		_, _ = io.Copy(io.Discard, lifeline)
		endGroup()
		os.Exit(1)
	}()
}
