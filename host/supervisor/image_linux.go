package supervisor

import (
	"fmt"
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

// durableMarks says that a mark tells a file from every other one, also after a restart.
const durableMarks = true

// mark is what changes when a file is exchanged or written to: nobody but root can set the
// change time.
func mark(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d:%d:%d:%d", st.Dev, st.Ino, st.Size, info.ModTime().UnixNano(), changeTime(info).UnixNano())
}

func executable(info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }
