package store

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"

	"github.com/spoolhost/spoolhost/host/store/internal/journal"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// panicError is a recovered panic.
type panicError struct{ value any }

// Error gives the panic's value.
func (e *panicError) Error() string { return fmt.Sprint("panic: ", e.value) }

func panicked(value any) error { return &panicError{value} }

// guard runs fn and turns a panic in it into an error. bbolt trusts its file: a damaged
// one makes it panic, a truncated one makes the mapped memory fault, which would kill
// the process unless SetPanicOnFault were set on this goroutine.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	return fn()
}

// failure says what went wrong with the file at path. It is the boundary where errors
// of bbolt and of the system become spoolerr's.
func failure(path string, err error) error {
	var known *spoolerr.Error
	var crash *panicError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.As(err, &crash), damage(err):
		return damaged(path, err)
	case errors.Is(err, berrors.ErrTimeout):
		return spoolerr.As(err, spoolerr.Busy,
			"store %s is in use by another process; stop that host first, or configure another data directory", path)
	case full(err):
		return &spoolerr.Error{Kind: spoolerr.NoSpace, Code: spoolerr.CodeDiskFull, Err: err,
			Message: fmt.Sprintf("store %s cannot grow; free space on its file system", path)}
	case errors.Is(err, fs.ErrPermission):
		return spoolerr.As(err, spoolerr.Denied, "store %s may not be opened; give the host's user the right", path)
	case errors.Is(err, fs.ErrNotExist):
		return spoolerr.As(err, spoolerr.NotFound, "store %s has no folder; create it", path)
	}
	return spoolerr.As(err, spoolerr.Unavailable, "store %s failed; check the disk", path)
}

func damaged(path string, err error) error {
	return spoolerr.As(err, spoolerr.Corrupt,
		"store %s is damaged; restore it from a backup, or move it and its journals away to start empty (the jobs in it are lost)", path)
}

func closed(path string) error {
	return spoolerr.New(spoolerr.Unavailable, 0, "store %s is closed; the host is stopping", path)
}

func damage(err error) bool {
	return errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrVersionMismatch) ||
		errors.Is(err, berrors.ErrChecksum) || errors.Is(err, berrors.ErrInvalidMapping) ||
		errors.Is(err, errTruncated) || errors.Is(err, errNoIdentity) || errors.Is(err, journal.ErrDamaged) || errors.Is(err, berrors.ErrBucketNotFound)
}

// full counts a quota and a file size limit as a full disk: the remedy is the same. bbolt
// keeps only the text of some errors.
func full(err error) bool {
	for _, no := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, no) || strings.Contains(err.Error(), no.Error()) {
			return true
		}
	}
	return false
}
