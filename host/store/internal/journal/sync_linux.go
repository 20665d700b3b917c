package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// dataSync writes the data and what is needed to find it, but not the file's times.
func dataSync(f *os.File) error { return control(f, unix.Fdatasync) }

// reserve takes n bytes of the disk for a file, where that can be done.
func reserve(f *os.File, n int64) error {
	err := control(f, func(fd int) error { return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, n) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

func control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for failed = unix.EINTR; errors.Is(failed, unix.EINTR); {
			failed = do(int(fd))
		}
	})
	return errors.Join(err, failed)
}
