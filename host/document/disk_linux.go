package document

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// diskFile is a file whose Sync writes the data and what is needed to find it, but not its
// times.
type diskFile struct{ *os.File }

// Sync implements file.
func (f diskFile) Sync() error { return f.control(unix.Fdatasync) }

func (f diskFile) control(do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = do(int(fd))
		for errors.Is(failed, unix.EINTR) {
			failed = do(int(fd))
		}
	}); err != nil {
		return err
	}
	if failed != nil {
		return &os.PathError{Op: "sync", Path: f.Name(), Err: failed}
	}
	return nil
}

// reserveSpace gives a file its length and its place on the disk. What is not one of the
// system's, or lies where that cannot be done, just grows.
func reserveSpace(f file, n int64) error {
	d, ok := f.(diskFile)
	if !ok {
		return nil
	}
	err := d.control(func(fd int) error { return unix.Fallocate(fd, 0, 0, n) })
	if isUnsupported(err) {
		return nil
	}
	return err
}

// writeOut begins to write a part of a file to the disk and does not wait: so the sync at
// its end has little left to do.
func writeOut(f file, from, n int64) {
	if d, ok := f.(diskFile); ok {
		_ = d.control(func(fd int) error { return unix.SyncFileRange(fd, from, n, unix.SYNC_FILE_RANGE_WRITE) })
	}
}

// punch gives the space of a part of a file back.
func punch(f *os.File, from, n int64) error {
	err := diskFile{f}.control(func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, n)
	})
	if isUnsupported(err) {
		return nil
	}
	return err
}
