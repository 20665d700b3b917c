//go:build !linux

package supervisor

import (
	"fmt"
	"io/fs"
	"runtime"
	"time"
)

func changeTime(info fs.FileInfo) time.Time { return info.ModTime() }

// durableMarks says that a mark tells a file from every other one, also after a restart.
const durableMarks = false

func mark(info fs.FileInfo) string {
	return fmt.Sprintf("%d:%d", info.Size(), info.ModTime().UnixNano())
}

func executable(info fs.FileInfo) bool { return runtime.GOOS == "windows" || info.Mode()&0o111 != 0 }
