package localmon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// file is a document that grows under a dot-name and gets its name when it is whole.
type file struct {
	dir  *os.Root
	part string
	path string
	// publish gives the finished part its name.
	publish func() error

	f    *os.File
	once sync.Once
}

// openReplacement is for a port that prints to one file: the document takes its place.
func openReplacement(at *spot, part string, old os.FileInfo) (ports.Target, error) {
	t := &file{dir: at.parent, part: part, path: at.path}
	t.publish = func() error {
		// It was looked at when the document began, and that may be long ago.
		if _, err := at.require(kindFile); err != nil {
			return err
		}
		return t.dir.Rename(part, at.base)
	}
	if err := t.create(); err != nil {
		return nil, err
	}
	if old != nil {
		_ = t.f.Chmod(old.Mode().Perm()) // whoever could read it still can; not worth a document
	}
	return t, nil
}

// openNewFile is for a port that prints into a directory.
func openNewFile(at *spot, part, name string) (ports.Target, error) {
	defer at.close()
	dir, err := at.parent.OpenRoot(at.base)
	if err != nil {
		return nil, fileError(at.path, err)
	}
	t := &file{dir: dir, part: part, path: at.path}
	t.publish = func() error { return t.nameNew(name) }
	if err := t.create(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *file) create() (err error) {
	if err = t.dir.Remove(t.part); err == nil || os.IsNotExist(err) {
		t.f, err = t.dir.OpenFile(t.part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	}
	if err != nil {
		_ = t.dir.Close()
		return fileError(t.path, err)
	}
	return nil
}

// nameNew names the part, but never over a file that is there: another spooler has a
// job of the same number. A hard link refuses where a rename would replace.
func (t *file) nameNew(name string) error {
	const tries = 1000
	for i := 1; i <= tries; i++ {
		full := name + ".prn"
		if i > 1 {
			full = fmt.Sprintf("%s~%d.prn", name, i)
		}
		switch err := t.link(full); {
		case err == nil:
			return nil
		case !os.IsExist(err):
			return err
		}
	}
	return spoolerr.New(spoolerr.Exists, 0, "%s holds %d documents named %s; move them away", spool.Quote(t.path), tries, spool.Quote(name))
}

func (t *file) link(full string) error {
	err := t.dir.Link(t.part, full)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return t.renameNew(full) // a file system without hard links, such as FAT
	}
	if err != nil {
		return err
	}
	return t.dir.Remove(t.part)
}

func (t *file) renameNew(full string) error {
	if _, err := t.dir.Lstat(full); !os.IsNotExist(err) {
		return os.ErrExist
	}
	return t.dir.Rename(t.part, full)
}

// Write writes in pieces: a disk cannot be told to hurry, but between pieces the call
// can end.
func (t *file) Write(ctx context.Context, p []byte) (n int, err error) {
	const piece = 64 << 10
	for n < len(p) {
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		var w int
		w, err = t.f.Write(p[n:min(len(p), n+piece)])
		n += w
		if err != nil {
			return n, fileError(t.path, err)
		}
	}
	return n, nil
}

// Finish makes the document durable, then visible, then its name durable.
func (t *file) Finish(ctx context.Context, _ func()) error {
	err := ctx.Err()
	if err == nil {
		err = t.f.Sync()
	}
	if err == nil {
		err = t.own()
	}
	if err == nil {
		err = t.publish()
	}
	if err == nil {
		err = syncDir(t.dir)
	}
	return t.wrap(err)
}

// Release closes the file that has its name.
func (t *file) Release() { t.once.Do(t.closeAll) }

// Condition is never asked for: a disk takes data or fails.
func (t *file) Condition() spool.PortStatus {
	return ports.TakesNothing("file " + spool.Quote(t.path) + " does not take data")
}

// own makes sure that the part is still this document's: should another node have taken
// over the spooler while this one stood still, the name is no longer ours to give.
func (t *file) own() error {
	mine, err := t.f.Stat()
	if err != nil {
		return err
	}
	there, err := t.dir.Lstat(t.part)
	if err != nil {
		return err
	}
	if !os.SameFile(mine, there) {
		return spoolerr.New(spoolerr.Precondition, 0, "the unfinished document in %s was replaced by another; check that no second host prints there", spool.Quote(t.path))
	}
	return nil
}

// Drop leaves nothing of the document.
func (t *file) Drop() {
	t.once.Do(func() {
		if t.own() == nil {
			_ = t.dir.Remove(t.part)
		}
		t.closeAll()
	})
}

func (t *file) closeAll() {
	_ = t.f.Close()
	_ = t.dir.Close()
}

func (t *file) wrap(err error) error {
	var e *spoolerr.Error
	if err == nil || errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fileError(t.path, err)
}

func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	// Some network file systems know no fsync of a directory; the name is theirs to keep.
	if err := d.Sync(); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
