package document

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// failure is the boundary where errors of the system become spoolerr's.
func (s *Store) failure(id string, err error) error {
	var known *spoolerr.Error
	kind := kindOf(err)
	if err != nil && kind != spoolerr.NotFound && !errors.As(err, &known) && s.opts.Failed != nil {
		s.opts.Failed(err)
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case kind == spoolerr.NoSpace:
		return &spoolerr.Error{Kind: kind, Code: spoolerr.CodeNoSpoolSpace, Err: err,
			Message: "document " + id + " does not fit into " + s.dir + "; free space there, then submit it again"}
	case kind == spoolerr.NotFound:
		return &spoolerr.Error{Kind: kind, Code: spoolerr.CodeSpoolFileNotFound, Err: err,
			Message: "document " + id + " is missing from " + s.dir + "; cancel the job and submit it again"}
	case errors.Is(err, syscall.EROFS):
		return spoolerr.As(err, kind, "document %s cannot be written to %s, which is mounted read-only; mount it read-write", id, s.dir)
	default:
		return spoolerr.As(err, kind, "document %s in %s failed; check the disk", id, s.dir)
	}
}

func kindOf(err error) spoolerr.Kind {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return spoolerr.NoSpace
	case errors.Is(err, fs.ErrNotExist):
		return spoolerr.NotFound
	case errors.Is(err, fs.ErrPermission):
		return spoolerr.Denied
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return spoolerr.Exhausted
	}
	return spoolerr.Unavailable
}

func quote(id string) string { return spool.Quote(id) }

// isUnsupported says that a file system does not have a function.
func isUnsupported(err error) bool {
	return errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EOPNOTSUPP)
}
