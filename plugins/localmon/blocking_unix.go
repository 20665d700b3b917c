//go:build unix

package localmon

import (
	"errors"
	"os"
	"syscall"
)

func setBlocking(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { err = syscall.SetNonblock(int(fd), false) })
	return errors.Join(cerr, err)
}
