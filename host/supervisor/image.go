package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Images opens executables and knows their digests. A digest is computed from the open
// file that will be executed, so that nobody can exchange it between check and use; it
// is remembered as long as the file's identity, size and times stay the same.
type Images struct {
	mu    sync.Mutex
	known map[string]imageState
}

type imageState struct {
	info          fs.FileInfo
	size          int64
	modified, chg time.Time
	digest        string
}

// NewImages makes an empty set.
func NewImages() *Images { return &Images{known: make(map[string]imageState)} }

// Digest gives the SHA-256, in hex, of the executable at path.
func (s *Images) Digest(path string) (string, error) {
	f, digest, err := s.open(path)
	if err != nil {
		return "", err
	}
	return digest, f.Close()
}

// Open opens the executable at path and checks it against the pinned digest.
func (s *Images) Open(path, pinned string) (*os.File, error) {
	f, digest, err := s.open(path)
	if err != nil {
		return nil, err
	}
	if digest != pinned {
		_ = f.Close()
		return nil, spoolerr.New(spoolerr.Precondition, spoolerr.CodeInvalidPrintMonitor,
			"module %s has SHA-256 %s but %s is pinned; if the change is wanted, use spoolhost monitor upgrade",
			path, digest, pinned)
	}
	return f, nil
}

func (s *Images) open(path string) (_ *os.File, digest string, retErr error) {
	if !filepath.IsAbs(path) {
		return nil, "", spoolerr.New(spoolerr.Invalid, 0, "module path %s is not absolute; give the full path", spool.Quote(path))
	}
	// Without O_NONBLOCK a named pipe would hold the host until somebody writes into it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", openError(path, err)
	}
	defer func() {
		if retErr != nil {
			_ = f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, "", openError(path, err)
	}
	if err := checkExecutable(path, info); err != nil {
		return nil, "", err
	}
	if digest, ok := s.remembered(path, info); ok {
		return f, digest, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, "", openError(path, err)
	}
	digest = hex.EncodeToString(sum.Sum(nil))
	s.remember(path, info, digest)
	return f, digest, nil
}

func (s *Images) remembered(path string, info fs.FileInfo) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.known[path]
	same := ok && os.SameFile(k.info, info) && k.size == info.Size() &&
		k.modified.Equal(info.ModTime()) && k.chg.Equal(changeTime(info))
	return k.digest, same
}

func (s *Images) remember(path string, info fs.FileInfo, digest string) {
	chg := changeTime(info)
	// A file written this very moment can change again within the clock's grain.
	if time.Since(chg) < 2*time.Second {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[path] = imageState{info: info, size: info.Size(), modified: info.ModTime(), chg: chg, digest: digest}
}

func checkExecutable(path string, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeBadExeFormat,
			"module %s is not a regular file; name the executable itself", path)
	case !executable(info):
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeBadExeFormat,
			"module %s is not executable; set its x permission (chmod +x)", path)
	}
	return nil
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return spoolerr.New(spoolerr.NotFound, spoolerr.CodeModNotFound, "module %s does not exist; check the path", path)
	case errors.Is(err, fs.ErrPermission):
		return spoolerr.New(spoolerr.Denied, 0, "module %s cannot be read by the host's user; check its permissions", path)
	}
	return spoolerr.As(err, spoolerr.Unavailable, "module %s cannot be opened", path)
}
