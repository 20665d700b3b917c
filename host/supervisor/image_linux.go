package supervisor

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime is the inode's change time, which no program can set.
func changeTime(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return info.ModTime()
}

func executable(info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }
