package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Images opens executables and knows their digests. A digest is computed from the open
// file that will be executed, so that nobody can exchange it between check and use; it
// is remembered as long as the file's identity, size and times stay the same, and with
// OpenImages also when the host starts again.
type Images struct {
	path  string // of the file that remembers; empty for none
	mu    sync.Mutex
	known map[string]imageState
}

type imageState struct {
	info fs.FileInfo // nil if it is known from an earlier start
	// Mark is the file's identity, size and times.
	Mark   string `json:"mark"`
	Digest string `json:"digest"`
}

// NewImages makes an empty set.
func NewImages() *Images { return &Images{known: make(map[string]imageState)} }

// OpenImages makes a set that remembers in a file, in a directory that only the host
// writes to. A file that cannot be read counts for nothing.
func OpenImages(path string) *Images {
	s := NewImages()
	if !durableMarks {
		return s
	}
	s.path = path
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &s.known) != nil || s.known == nil {
		s.known = make(map[string]imageState)
	}
	return s
}

// save writes what is known; s.mu is held. Without it the next start takes longer.
func (s *Images) save() {
	text, err := json.Marshal(s.known)
	if s.path == "" || err != nil {
		return
	}
	if os.WriteFile(s.path+".new", text, 0o600) == nil {
		_ = os.Rename(s.path+".new", s.path)
	}
}

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
	f, err := os.OpenFile(whereNow(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
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

// whereNow is where the executable at path is opened. The host's own file, which its built-in
// modules are, may have been replaced by another version: they stay those of the version
// that runs until it is started anew.
func whereNow(path string) string {
	const running = "/proc/self/exe"
	if self, err := os.Executable(); runtime.GOOS == "linux" && err == nil && path == self {
		return running
	}
	return path
}

func (s *Images) remembered(path string, info fs.FileInfo) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.known[path]
	same := ok && k.Mark == mark(info) && (k.info == nil || os.SameFile(k.info, info))
	return k.Digest, same
}

func (s *Images) remember(path string, info fs.FileInfo, digest string) {
	// A file written this very moment can change again within the clock's grain.
	if time.Since(changeTime(info)) < 2*time.Second {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 1000 // a directory full of modules, each upgraded in turn
	if len(s.known) >= most {
		clear(s.known)
	}
	s.known[path] = imageState{info: info, Mark: mark(info), Digest: digest}
	s.save()
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
