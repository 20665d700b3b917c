//go:build unix

package supervisor

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// groupAlive says whether a process group has members that are not zombies: a zombie
// whose parent does not reap it keeps the group for ever, and harms nobody. The kernel
// gives no new process a number that is still a group's.
func groupAlive(pgid int) bool {
	if syscall.Kill(-pgid, 0) != nil {
		return false
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	for _, e := range entries {
		data, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		stat := string(data)
		fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
		if len(fields) > 2 && fields[2] == strconv.Itoa(pgid) && fields[0] != "Z" {
			return true
		}
	}
	return false
}
