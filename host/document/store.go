package document

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const bufferLen = 256 << 10

// Options are the options of Open. The zero value is good for a directory of one host.
type Options struct {
	// Shared says that several hosts write into the directory: then every document is a
	// file of its own, which any of them may read and remove.
	Shared bool
	// Grace protects files that changed less than this ago from Sweep. On storage that
	// several hosts share it must exceed the longest time between a document's first byte
	// and its job's record.
	Grace time.Duration
	// Failed is told of each error of the file system; nil is for nobody.
	Failed func(error)
}

// Store is the directory of documents. It is safe for concurrent use.
type Store struct {
	dir      string
	opts     Options
	root     *os.Root
	names    *os.File // the directory, for syncing
	sync     syncGroup
	buffers  sync.Pool                       // of bufferLen bytes
	small    sync.Pool                       // of smallLen bytes
	create   func(name string) (file, error) // replaced by tests
	segments segments

	mu     sync.Mutex
	live   map[string]struct{} // files created in this life and not removed: Sweep keeps off
	closed bool
}

// file is what is needed of an *os.File that is written.
type file interface {
	io.WriteCloser
	io.WriterAt
	Sync() error
}

// Open opens the directory, creating it if needed.
func Open(dir string, opts Options) (*Store, error) {
	s := &Store{dir: dir, opts: opts, live: map[string]struct{}{}}
	s.buffers.New = func() any { b := make([]byte, bufferLen); return &b }
	s.small.New = func() any { b := make([]byte, smallLen); return &b }
	s.create = func(name string) (file, error) {
		f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		return diskFile{f}, nil
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
	s.segments.store = s
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
	s.segments.close()
	if s.names != nil {
		_ = s.names.Close() // read only
	}
	if s.root != nil {
		_ = s.root.Close()
	}
	return nil
}

// Create begins a document.
func (s *Store) Create(ctx context.Context) (*Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, spoolerr.Wrap(err, "no document was created")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, spoolerr.New(spoolerr.Unavailable, 0, "document directory %s is closed; the host is stopping", s.dir)
	}
	return newWriter(s), nil
}

// Remove removes a document. That it is absent is no error. An open Document stays
// readable.
func (s *Store) Remove(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return spoolerr.Wrap(err, "document %s was not removed", quote(id))
	}
	at, err := parseID(id)
	if err != nil {
		return err
	}
	if at.segmented {
		s.segments.remove(at)
		return nil
	}
	if err := s.root.Remove(at.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failure(id, err)
	}
	s.forget(at.file)
	return nil
}

// Sweep removes, at start-up, what an earlier life left behind: unfinished documents and
// those that are not among the live ones. It touches nothing that was created in this
// life, and no file that is not a document. It goes on after a failure and reports the
// first; an error of live stops it before it removes anything.
func (s *Store) Sweep(ctx context.Context, live iter.Seq2[string, error]) (removed int, err error) {
	files, parts, err := s.sort(ctx, live)
	if err != nil {
		return 0, err
	}
	names, err := s.list()
	if err != nil {
		return 0, spoolerr.As(err, kindOf(err), "document directory %s cannot be read; check the disk", s.dir)
	}
	for _, name := range names {
		if stop := ctx.Err(); stop != nil {
			return removed, spoolerr.Wrap(stop, "clearing of document directory %s was cut short", s.dir)
		}
		gone, failed := s.sweep(name, files, parts)
		if gone {
			removed++
		}
		if err == nil {
			err = failed
		}
	}
	return removed, err
}

// sort tells live documents with a file of their own from those in segments.
func (s *Store) sort(ctx context.Context, live iter.Seq2[string, error]) (files map[string]bool, parts map[string]extents, err error) {
	files, parts = make(map[string]bool), make(map[string]extents)
	for id, err := range live {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, nil, spoolerr.Wrap(err, "document directory %s was not cleared", s.dir)
		}
		at, err := parseID(id)
		switch {
		case err != nil: // of a damaged record: its document, if any, has another name
		case !at.segmented:
			files[at.file] = true
		case parts[at.file] == nil:
			parts[at.file] = extents{at.offset: at.length}
		default:
			parts[at.file][at.offset] = at.length
		}
	}
	return files, parts, nil
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

func (s *Store) sweep(file string, files map[string]bool, parts map[string]extents) (gone bool, err error) {
	name, isSegment := strings.CutSuffix(file, segmentEnd)
	name, part := strings.CutSuffix(name, unfinished) // by hosts of an earlier version
	switch {
	case !isName(name) || s.alive(file) || s.recent(file):
		return false, nil
	case isSegment && len(parts[name]) > 0:
		s.segments.adopt(name, parts[name])
		return false, nil
	case !isSegment && !part && files[name]:
		return false, nil
	}
	if err := s.root.Remove(file); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, s.failure(name, err)
	}
	return true, nil
}

func (s *Store) recent(name string) bool {
	if s.opts.Grace <= 0 {
		return false
	}
	info, err := s.root.Lstat(name)
	return err != nil || time.Since(info.ModTime()) < s.opts.Grace
}

func (s *Store) keep(file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[file] = struct{}{}
}

func (s *Store) forget(file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, file)
}

func (s *Store) alive(file string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.live[file]
	return ok
}
