package confine

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Tree is a directory below which files are kept. No link in it is ever followed: each step
// of a path is looked at, opened, and seen to be what was looked at. Names are found
// without regard to case.
type Tree struct {
	dir  string
	root *os.Root
	mu   sync.Mutex // serialises the making of directories, so that none exists in two spellings
}

// OpenTree opens a tree and makes its directory if it is missing.
func OpenTree(dir string) (*Tree, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "directory %s", dir)
	}
	dir, err := filepath.EvalSymlinks(dir) // how the operator came to it is the operator's business
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "directory %s", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "directory %s", dir)
	}
	return &Tree{dir: dir, root: root}, nil
}

// Dir is the tree's directory.
func (t *Tree) Dir() string { return t.dir }

// Close gives the tree back.
func (t *Tree) Close() error { return t.root.Close() }

// Dir opened in a tree. Close gives it back.
type Dir struct {
	root *os.Root
	name string
}

// Open opens a directory of the tree; create makes it if it is missing. The error of a
// missing one is fs.ErrNotExist.
func (t *Tree) Open(path Rel, create bool) (*Dir, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, err := t.root.OpenRoot(".")
	if err != nil {
		return nil, t.failed(path, err)
	}
	for _, name := range path {
		if why := fault(name); why != "" { // whatever the Rel was made from
			_ = at.Close()
			return nil, refuse("directory", path.String(), why)
		}
		next, err := step(at, name, create)
		_ = at.Close()
		if err != nil {
			return nil, t.failed(path, err)
		}
		at = next
	}
	return &Dir{root: at, name: path.Path(t.dir)}, nil
}

func (t *Tree) failed(path Rel, err error) error {
	if spoolerr.KindOf(err) == spoolerr.Denied || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return spoolerr.As(err, spoolerr.Unavailable, "directory %s", path.Path(t.dir))
}

// step goes down into one directory.
func step(at *os.Root, name string, create bool) (*os.Root, error) {
	name, info, err := find(at, name)
	if errors.Is(err, fs.ErrNotExist) && create {
		if err = at.Mkdir(name, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			info, err = at.Lstat(name)
		}
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, notPlain(name, "a directory")
	}
	next, err := at.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if opened, err := next.Stat("."); err != nil || !os.SameFile(info, opened) {
		_ = next.Close()
		return nil, notPlain(name, "the directory that it was")
	}
	return next, nil
}

func notPlain(name, what string) error {
	return spoolerr.New(spoolerr.Denied, spoolerr.CodeAccessDenied, "%s is not %s, but a link or something else; it is left alone", spool.Quote(name), what)
}

// find gives the entry of a directory that has a name, in the spelling that it has there.
func find(at *os.Root, name string) (string, fs.FileInfo, error) {
	info, err := at.Lstat(name)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return name, info, err
	}
	f, openErr := at.Open(".")
	if openErr != nil {
		return name, nil, openErr
	}
	defer func() { _ = f.Close() }()
	names, readErr := f.Readdirnames(-1)
	if readErr != nil {
		return name, nil, readErr
	}
	for _, n := range names {
		if spool.Fold(n) == spool.Fold(name) {
			info, err := at.Lstat(n)
			return n, info, err
		}
	}
	return name, nil, err
}

// Close gives the directory back.
func (d *Dir) Close() error { return d.root.Close() }

// Open opens a regular file for reading.
func (d *Dir) Open(name string) (*os.File, error) {
	if err := CheckFileName("file", name); err != nil {
		return nil, err
	}
	return d.open(name, os.O_RDONLY)
}

func (d *Dir) open(name string, flags int) (*os.File, error) {
	name, info, err := find(d.root, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notPlain(name, "a file")
	}
	f, err := d.root.OpenFile(name, flags, 0)
	if err != nil {
		return nil, err
	}
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) {
		_ = f.Close()
		return nil, notPlain(name, "the file that it was")
	}
	return f, nil
}

// partial is how files are named that are not complete. No checked name begins with a dot.
const partial = ".part-"

// Partial opens the unfinished file with a label, which is made of letters and digits, or
// makes a new one. Nobody else may have it.
func (d *Dir) Partial(label string) (*os.File, error) {
	name := partial + label
	f, err := d.open(name, os.O_RDWR)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			return f, nil
		}
		return d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err := d.root.Remove(name); err != nil { // a link or a directory in its place
		return nil, err
	}
	return d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// DropPartial removes an unfinished file.
func (d *Dir) DropPartial(label string) error { return d.root.Remove(partial + label) }

// Finish gives an unfinished file its name, in place of what has it: a link is replaced, not
// followed. It is durable then. checked is the file that was written and checked: what somebody
// has put in its place meanwhile is removed.
func (d *Dir) Finish(label, name string, checked fs.FileInfo) error {
	if err := CheckFileName("file", name); err != nil {
		return err
	}
	name, info, err := find(d.root, name)
	switch {
	case err == nil && info.IsDir():
		return notPlain(name, "a file")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := d.root.Rename(partial+label, name); err != nil {
		return err
	}
	if now, err := d.root.Lstat(name); err != nil || !os.SameFile(now, checked) {
		return errors.Join(notPlain(name, "the file that was written"), d.root.Remove(name))
	}
	return d.sync()
}

// Remove removes a file, or a link that is in its place. That it is missing is no error.
func (d *Dir) Remove(name string) error {
	if err := CheckFileName("file", name); err != nil {
		return err
	}
	name, _, err := find(d.root, name)
	if err == nil {
		err = d.root.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Prune removes directories that are empty, from the given one upwards.
func (t *Tree) Prune(path Rel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; len(path) > 0; path = path[:len(path)-1] {
		if t.root.Remove(filepath.Join(path...)) != nil { // it is not empty, or spelled otherwise
			return
		}
	}
}

// Sweep removes unfinished files that nobody has gone on with for so long.
func (t *Tree) Sweep(age time.Duration, now time.Time) error {
	return fs.WalkDir(t.root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasPrefix(e.Name(), partial) {
			return err
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > age {
			return t.root.Remove(filepath.FromSlash(path))
		}
		return nil
	})
}

// NewLabel gives a label that no other unfinished file has.
func NewLabel() string { return rand.Text() }
