package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// stdinName is the FILE that stands for standard input.
const stdinName = "-"

// maxTitle is the longest title, in characters.
const maxTitle = 255

// source is a document to be sent, not yet opened.
type source struct {
	name, title string
	// size is the number of bytes; -1 if only reading tells (as also for the files of
	// /proc, which say 0).
	size int64
	open func() (io.ReadCloser, error)
}

// newSource says what is to be read, or why it cannot be. It never blocks: the file is
// opened by whoever reads it, because opening a pipe waits for its writer.
func newSource(name string, stdin io.Reader) (source, error) {
	if name == stdinName {
		open := func() (io.ReadCloser, error) { return io.NopCloser(stdin), nil }
		return source{name: "standard input", title: "standard input", size: -1, open: open}, nil
	}
	s := source{name: name, title: sanitiseTitle(filepath.Base(name)), size: -1}
	s.open = func() (io.ReadCloser, error) { return os.Open(name) }
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return s, s.error(err)
	case info.IsDir():
		return s, spoolerr.New(spoolerr.Invalid, 0, "%s is a directory; name the files in it", quotePath(name))
	case info.Mode().IsRegular() && info.Size() > 0:
		s.size = info.Size()
	}
	return s, nil
}

// error gives an error of the file system the kind that its exit code stands for.
func (s source) error(err error) error {
	kind, code := spoolerr.Internal, spoolerr.Code(0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind, code = spoolerr.NotFound, spoolerr.CodeFileNotFound
	case errors.Is(err, fs.ErrPermission):
		kind = spoolerr.Denied
	}
	var own *spoolerr.Error
	if errors.As(err, &own) {
		return err
	}
	var path *fs.PathError
	if errors.As(err, &path) { // Its operation and path say less than the message here.
		err = path.Err
	}
	return spoolerr.New(kind, code, "cannot read %s: %s; nothing was queued", quotePath(s.name), err)
}

// quotePath makes a path fit for a message. Its end tells more than its beginning, so it
// is not cut as names are.
func quotePath(path string) string { return `"` + clean(strings.ToValidUTF8(path, "\ufffd")) + `"` }

// sanitiseTitle makes a title of what may be any bytes: printable, valid UTF-8, bounded.
func sanitiseTitle(s string) string {
	title := clean(strings.ToValidUTF8(s, "\ufffd"))
	if runes := []rune(title); len(runes) > maxTitle {
		title = string(runes[:maxTitle])
	}
	return strings.TrimSpace(title)
}
