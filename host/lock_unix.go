//go:build unix

package host

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// lockData keeps a second host off the data directory. The lock ends with the process,
// however that ends; modules do not inherit it.
func lockData(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "data directory %s cannot be used", dir)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, spoolerr.New(spoolerr.Busy, 0, "data directory %s is in use by another host; stop that one, or give this one --data of its own", dir)
	}
	return nil, spoolerr.As(err, spoolerr.Unavailable, "data directory %s cannot be locked", dir)
}
