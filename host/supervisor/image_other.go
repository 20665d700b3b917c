//go:build !linux

package supervisor

import (
	"io/fs"
	"runtime"
	"time"
)

func changeTime(info fs.FileInfo) time.Time { return info.ModTime() }

func executable(info fs.FileInfo) bool { return runtime.GOOS == "windows" || info.Mode()&0o111 != 0 }
