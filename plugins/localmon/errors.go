package localmon

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// fileError words what the system says of a path: each reason has its own remedy.
func fileError(path string, err error) error {
	type row struct {
		cause  error
		kind   spoolerr.Kind
		code   spoolerr.Code
		remedy string
	}
	for _, r := range [...]row{
		{fs.ErrClosed, spoolerr.BadHandle, 0, "was closed under the document; open the port again"},
		{os.ErrDeadlineExceeded, spoolerr.Unavailable, spoolerr.CodeTimeout, "did not take the end of the document; check the printer for paper and errors"},
		{syscall.ENOSPC, spoolerr.NoSpace, 0, "takes no more data: the disk is full; free some space"},
		{syscall.EDQUOT, spoolerr.NoSpace, 0, "takes no more data: the quota is used up; free some space"},
		{syscall.EFBIG, spoolerr.NoSpace, 0, "takes no more data: the file would be too large; print to another file system"},
		{fs.ErrNotExist, spoolerr.Unavailable, 0, "is not there; check that the device is connected, and that the directory exists"},
		{syscall.EROFS, spoolerr.Denied, 0, "is on a read-only file system; mount it for writing"},
		{fs.ErrPermission, spoolerr.Denied, 0, "may not be written by the host's user; correct its owner, group or mode"},
		{syscall.EBUSY, spoolerr.Busy, 0, "is held by another program; end that one"},
		{syscall.ENOTDIR, spoolerr.Invalid, spoolerr.CodeInvalidName, "leads through something that is not a directory; correct the path"},
		{syscall.ENXIO, spoolerr.Unavailable, 0, "has no device behind it; check that it is connected and switched on"},
		{syscall.ENODEV, spoolerr.Unavailable, 0, "has no device behind it; check that it is connected and switched on"},
		{syscall.EIO, spoolerr.Unavailable, spoolerr.CodeWriteFault, "failed; check that the device is connected and switched on, or the disk"},
	} {
		if errors.Is(err, r.cause) {
			return &spoolerr.Error{Kind: r.kind, Code: codeOr(r.code, r.kind), Message: spool.Quote(path) + " " + r.remedy, Err: reason(err)}
		}
	}
	if outside(err) {
		return &spoolerr.Error{Kind: spoolerr.Denied, Code: spoolerr.CodeAccessDenied, Err: reason(err),
			Message: spool.Quote(path) + " leads out of the directory that is allowed; give a path without symbolic links"}
	}
	return &spoolerr.Error{Kind: spoolerr.Unavailable, Code: spoolerr.CodeWriteFault, Err: reason(err),
		Message: spool.Quote(path) + " failed; check the device or the disk"}
}

// outside says that os.Root refused the way: its error is no errno.
func outside(err error) bool {
	var path *fs.PathError
	var link *os.LinkError
	var number syscall.Errno
	walked := errors.As(err, &path) || errors.As(err, &link)
	return walked && (!errors.As(err, &number) || number == syscall.ELOOP || number == syscall.EXDEV)
}

// reason leaves out the path that the message names already.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func codeOr(c spoolerr.Code, k spoolerr.Kind) spoolerr.Code {
	if c == 0 {
		return k.DefaultCode()
	}
	return c
}
