package host

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// lockData keeps a second host off the data directory.
func lockData(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "data directory %s cannot be used", dir)
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{}); err != nil {
		_ = f.Close()
		return nil, spoolerr.As(err, spoolerr.Busy, "data directory %s is in use by another host", dir)
	}
	return f, nil
}
