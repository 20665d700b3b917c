package localmon

import (
	"os"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// fence is the directories below which this monitor may write, the longest first.
type fence []string

func newFence(allowed []string) (fence, error) {
	var f fence
	for _, dir := range allowed {
		if remedy := checkPath(dir); remedy != "" {
			return nil, spoolerr.New(spoolerr.Invalid, 0,
				"local_directories: %s is no directory to print below; %s", spool.Quote(dir), remedy)
		}
		f = append(f, path.Clean(dir))
	}
	slices.SortFunc(f, func(a, b string) int { return len(b) - len(a) })
	return f, nil
}

// checkPath refuses what could be read in two ways; it says what to give instead.
func checkPath(p string) (remedy string) {
	const most = 4096 // PATH_MAX
	switch {
	case !strings.HasPrefix(p, "/"):
		return "give an absolute path"
	case len(p) > most || !utf8.ValidString(p) || strings.ContainsFunc(p, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "give a path of at most 4096 printable characters"
	case p != "/" && path.Clean(p) != strings.TrimSuffix(p, "/"):
		return "give the path without dots for directories and without double slashes"
	}
	return ""
}

// split finds the allowed directory that p lies below, and p's place below it.
func (f fence) split(p string) (dir, rel string, err error) {
	p = path.Clean(p)
	for _, dir := range f {
		if p == dir {
			return dir, ".", nil
		}
		if rel, ok := strings.CutPrefix(p, strings.TrimSuffix(dir, "/")+"/"); ok {
			return dir, rel, nil
		}
	}
	if len(f) == 0 {
		return "", "", spoolerr.New(spoolerr.Denied, 0,
			`printing to %s is not allowed: no local directory is; set local_directories = ["/srv/print"] in the host's configuration`, spool.Quote(p))
	}
	return "", "", spoolerr.New(spoolerr.Denied, 0,
		"printing to %s is not allowed: it is not below %s; choose a path that is, or extend local_directories in the host's configuration",
		spool.Quote(p), strings.Join(f, " or "))
}

// spot is a place in the file system, held by its parent directory: whatever becomes of
// the path's names meanwhile, base is looked up in that very directory.
type spot struct {
	parent *os.Root
	base   string // "." is the allowed directory itself
	path   string
}

// enter opens the parent directory of p. os.Root walks there: no symbolic link, no dots
// and no rename under way can lead it out of the allowed directory.
func (f fence) enter(p string) (*spot, error) {
	dir, rel, err := f.split(p)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fileError(p, err)
	}
	if path.Dir(rel) == "." {
		return &spot{root, rel, p}, nil
	}
	defer func() { _ = root.Close() }()
	parent, err := root.OpenRoot(path.Dir(rel))
	if err != nil {
		return nil, fileError(p, err)
	}
	return &spot{parent, path.Base(rel), p}, nil
}

// look says what is there: "" is nothing. Links, pipes, sockets and block devices are
// refused: a link says one thing and is another, a pipe or socket would hang, and a
// block device is somebody's disk.
func (s *spot) look() (kind string, info os.FileInfo, err error) {
	info, err = s.parent.Lstat(s.base)
	if os.IsNotExist(err) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, fileError(s.path, err)
	}
	if kind = kindOf(info.Mode()); kind == "" {
		return "", nil, spoolerr.New(spoolerr.Denied, 0,
			"%s is a symbolic link, pipe, socket or block device; give a character device, a regular file or a directory", spool.Quote(s.path))
	}
	return kind, info, nil
}

// require looks that what is there is of the kind that the port was made for.
func (s *spot) require(want string) (os.FileInfo, error) {
	kind, info, err := s.look()
	switch {
	case err != nil || kind == want || kind == "" && want == kindFile:
		return info, err
	case kind == "":
		return nil, spoolerr.New(spoolerr.Unavailable, 0,
			"%s %s is not there; check that it is connected and switched on, or configure the port", want, spool.Quote(s.path))
	}
	return nil, spoolerr.New(spoolerr.Precondition, 0,
		"%s is a %s now, but the port prints to a %s; put it back, or configure the port", spool.Quote(s.path), kind, want)
}

func (s *spot) close() { _ = s.parent.Close() }

func kindOf(m os.FileMode) string {
	switch m.Type() {
	case 0:
		return kindFile
	case os.ModeDir:
		return kindDirectory
	case os.ModeDevice | os.ModeCharDevice:
		return kindDevice
	}
	return ""
}
