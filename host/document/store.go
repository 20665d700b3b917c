package document

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const (
	idLen      = 32 // 128 random bits in hexadecimal
	unfinished = ".part"
	bufferLen  = 256 << 10
)

// Options are the options of Open. The zero value is good.
type Options struct {
	// Grace protects files that changed less than this ago from Sweep. On storage that
	// several hosts share it must exceed the longest time between a document's first byte
	// and its job's record.
	Grace time.Duration
}

// Store is the directory of documents. It is safe for concurrent use.
type Store struct {
	dir     string
	grace   time.Duration
	root    *os.Root
	names   *os.File // the directory, for syncing
	sync    syncGroup
	buffers sync.Pool
	create  func(id string) (file, error) // replaced by tests

	mu     sync.Mutex
	live   map[string]struct{} // created in this life and not removed: Sweep keeps off
	closed bool
}

// file is what a Writer needs of an *os.File.
type file interface {
	io.WriteCloser
	Sync() error
}

// Open opens the directory, creating it if needed.
func Open(dir string, opts Options) (*Store, error) {
	s := &Store{dir: dir, grace: opts.Grace, live: map[string]struct{}{}}
	s.buffers.New = func() any { b := make([]byte, bufferLen); return &b }
	s.create = func(id string) (file, error) {
		return s.root.OpenFile(id+unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		s.root, err = os.OpenRoot(dir)
	}
	if err == nil {
		s.names, err = s.root.Open(".")
	}
	if err != nil {
		_ = s.Close()
		return nil, spoolerr.As(err, kindOf(err), "document directory %s cannot be opened; check its file system and rights", dir)
	}
	s.sync.fn = s.names.Sync
	return s, nil
}

// Close gives the directory back. It may be called again. Writers must have ended.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.names != nil {
		_ = s.names.Close() // read only
	}
	if s.root != nil {
		_ = s.root.Close()
	}
	return nil
}

// Create begins a document with a new, unguessable id.
func (s *Store) Create(ctx context.Context) (*Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, spoolerr.Wrap(err, "no document was created")
	}
	id := newID()
	s.keep(id)
	f, err := s.create(id)
	if err != nil {
		s.forget(id)
		return nil, s.failure(id, err)
	}
	return newWriter(s, id, f), nil
}

// Remove removes a document. That it is absent is no error. An open Document stays
// readable.
func (s *Store) Remove(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return spoolerr.Wrap(err, "document %s was not removed", quote(id))
	}
	if err := checkID(id); err != nil {
		return err
	}
	if err := s.root.Remove(id); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failure(id, err)
	}
	s.forget(id)
	return nil
}

// Sweep removes, at start-up, what an earlier life left behind: unfinished documents and
// those that keep disowns. It touches nothing that was created in this life, and no file
// that is not a document. It goes on after a failure and reports the first.
func (s *Store) Sweep(ctx context.Context, keep func(id string) bool) (removed int, err error) {
	names, err := s.list()
	if err != nil {
		return 0, spoolerr.As(err, kindOf(err), "document directory %s cannot be read; check the disk", s.dir)
	}
	for _, name := range names {
		if stop := ctx.Err(); stop != nil {
			return removed, spoolerr.Wrap(stop, "clearing of document directory %s was cut short", s.dir)
		}
		gone, failed := s.sweep(name, keep)
		if gone {
			removed++
		}
		if err == nil {
			err = failed
		}
	}
	return removed, err
}

// list reads the directory anew: Readdirnames on s.names would go on where it stood.
func (s *Store) list() ([]string, error) {
	dir, err := s.root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	return names, errors.Join(err, dir.Close())
}

func (s *Store) sweep(name string, keep func(id string) bool) (gone bool, err error) {
	id, part := strings.CutSuffix(name, unfinished)
	if checkID(id) != nil || s.alive(id) || !part && keep(id) || s.recent(name) {
		return false, nil
	}
	if err := s.root.Remove(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, s.failure(id, err)
	}
	return true, nil
}

func (s *Store) recent(name string) bool {
	if s.grace <= 0 {
		return false
	}
	info, err := s.root.Lstat(name)
	return err != nil || time.Since(info.ModTime()) < s.grace
}

func (s *Store) keep(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[id] = struct{}{}
}

func (s *Store) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, id)
}

func (s *Store) alive(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.live[id]
	return ok
}

// newID makes an id. rand.Read never fails.
func newID() string {
	var b [idLen / 2]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// checkID keeps everything that is not an id, such as a path, away from the directory.
func checkID(id string) error {
	ok := len(id) == idLen
	for _, c := range []byte(id) {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
	}
	if !ok {
		return spoolerr.New(spoolerr.Invalid, 0, "%s is no document id; use one that the host gave out", quote(id))
	}
	return nil
}

// failure is the boundary where errors of the system become spoolerr's.
func (s *Store) failure(id string, err error) error {
	var known *spoolerr.Error
	switch kind := kindOf(err); {
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
