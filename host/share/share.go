// Package share is PRINT$: the files that clients of a host's printers copy, and the drivers
// that some of them belong to. A file's content lies in a directory under its SHA-256; where
// it is in the share, and whose it is, is a record in the store. So no path that a person, a
// client or a module names ever reaches the file system.
//
// The spooler and the API import it. It runs nothing of what it keeps, and knows no printers.
package share

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The bounds of the share.
const (
	// MaxFile is the largest file, in bytes.
	MaxFile = 1 << 30
	// MaxFiles is how many files there may be.
	MaxFiles = 20_000
)

// File is a file of the share.
type File struct {
	// Path is relative to PRINT$, with backslashes, as it was put there.
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	Digest   string    `json:"digest"` // SHA-256, hex
	Modified time.Time `json:"modified"`
	// Put says that a person put it there: it stays without a driver.
	Put bool `json:"put,omitempty"`
	// Drivers are the keys of the drivers that it belongs to.
	Drivers []string `json:"drivers,omitempty"`
}

// Share is PRINT$ of a host. It is safe for concurrent use.
type Share struct {
	dir   string
	root  *os.Root
	store store.Store
	now   func() time.Time

	admin sync.Mutex // serialises changes; never held with a module

	mu    sync.Mutex
	fresh map[string]int // blobs that are not in a record yet: they are not swept
}

// Open opens the share in a directory, which is made if it is missing. Content that no
// record names is removed if it has been there for an hour.
func Open(ctx context.Context, dir string, s store.Store, now func() time.Time) (*Share, error) {
	sh := &Share{dir: dir, store: s, now: now, fresh: make(map[string]int)}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		sh.root, err = os.OpenRoot(dir)
	}
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "directory %s of PRINT$ cannot be opened; check its rights", dir)
	}
	if err := sh.sweep(ctx); err != nil {
		_ = sh.Close()
		return nil, err
	}
	return sh, nil
}

// Close gives the directory back.
func (s *Share) Close() error { return s.root.Close() }

// The store's names.
const (
	filePrefix   = "share/file/"
	blobPrefix   = "share/blob/" // DIGEST/PATH: which files have which content
	driverPrefix = "share/driver/"
)

// parsePath reads the path of a file.
func parsePath(path string) (confine.Rel, error) {
	rel, err := confine.ParseRel("path", path)
	if err == nil && len(rel) < 2 {
		err = spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidName, `path %s is not in a directory of PRINT$; use one such as Color\%s`, spool.Quote(path), path)
	}
	return rel, err
}

// Stat gives a file.
func (s *Share) Stat(ctx context.Context, path string) (f File, err error) {
	rel, err := parsePath(path)
	if err != nil {
		return f, err
	}
	err = s.store.View(ctx, func(tx store.Tx) error {
		f, err = getFile(tx, rel.Key())
		return err
	})
	return f, err
}

func getFile(tx store.Tx, key string) (f File, err error) {
	b, err := tx.Get(filePrefix + key)
	if errors.Is(err, spoolerr.NotFound) {
		return f, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, `there is no file PRINT$\%s; see spoolhost share list`, key)
	}
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil || !isDigest(f.Digest) {
		return f, spoolerr.New(spoolerr.Corrupt, 0, `the record of file PRINT$\%s cannot be read: %v`, key, err)
	}
	return f, nil
}

// List gives the files at and below a directory in order of path; the empty one is the
// whole share.
func (s *Share) List(ctx context.Context, dir string) (list []File, err error) {
	prefix := ""
	if dir != "" {
		rel, err := confine.ParseRel("directory", dir)
		if err != nil {
			return nil, err
		}
		prefix = rel.Key() + `\`
	}
	err = s.store.View(ctx, func(tx store.Tx) error {
		list = nil
		for item, err := range tx.Scan(filePrefix+prefix, "") {
			if item.Key == "" {
				return err
			}
			f, err := getFile(tx, strings.TrimPrefix(item.Key, filePrefix))
			if err != nil {
				return err
			}
			list = append(list, f)
		}
		return nil
	})
	if err == nil && len(list) == 0 && dir != "" {
		err = spoolerr.New(spoolerr.NotFound, spoolerr.CodePathNotFound, `there is no directory PRINT$\%s`, dir)
	}
	return list, err
}

// Put gives a path the content of a blob. A file that belongs to a driver is refused.
func (s *Share) Put(ctx context.Context, path string, b Blob) (f File, err error) {
	rel, err := parsePath(path)
	if err != nil {
		return f, err
	}
	f = File{Path: rel.String(), Size: b.Size, Digest: b.Digest, Modified: s.now().UTC(), Put: true}
	var dropped string
	err = s.change(ctx, func(tx store.Tx) error {
		old, err := getFile(tx, rel.Key())
		switch {
		case err == nil && len(old.Drivers) > 0 && old.Digest != b.Digest:
			return spoolerr.New(spoolerr.Denied, 0, `file PRINT$\%s belongs to driver %s; replace the driver with spoolhost driver add --replace`, old.Path, describeKey(old.Drivers[0]))
		case err == nil:
			f.Drivers, dropped = old.Drivers, old.Digest
		case !errors.Is(err, spoolerr.NotFound) && !errors.Is(err, spoolerr.Corrupt):
			return err
		}
		if err := roomForOne(tx); err != nil {
			return err
		}
		return putFile(tx, f, dropped)
	})
	if err == nil && dropped != f.Digest {
		s.collect(ctx, dropped)
	}
	return f, err
}

func roomForOne(tx store.Tx) error {
	n := 0
	for item, err := range tx.Scan(filePrefix, "") {
		if item.Key == "" {
			return err
		}
		if n++; n >= MaxFiles {
			return spoolerr.New(spoolerr.Exhausted, 0, "PRINT$ has %d files, which is the most; remove some with spoolhost share remove", n)
		}
	}
	return nil
}

// putFile writes a file's record in the place of one with the old digest, if that is not empty.
func putFile(tx store.Tx, f File, old string) error {
	key := spool.Fold(f.Path)
	if old != "" {
		if err := tx.Delete(blobPrefix + old + "/" + key); err != nil {
			return err
		}
	}
	data, err := json.Marshal(f)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "file %s", f.Path)
	}
	if err := tx.Put(filePrefix+key, data); err != nil {
		return err
	}
	return tx.Put(blobPrefix+f.Digest+"/"+key, []byte{1})
}

func deleteFile(tx store.Tx, f File) error {
	key := spool.Fold(f.Path)
	return errors.Join(tx.Delete(filePrefix+key), tx.Delete(blobPrefix+f.Digest+"/"+key))
}

// Remove removes a file that no driver needs. inUse says who else needs it; nil is nobody.
func (s *Share) Remove(ctx context.Context, path string, inUse func(File) error) error {
	rel, err := parsePath(path)
	if err != nil {
		return err
	}
	f, err := s.Stat(ctx, path)
	if err == nil && inUse != nil {
		err = inUse(f)
	}
	if err != nil && !errors.Is(err, spoolerr.Corrupt) {
		return err
	}
	err = s.change(ctx, func(tx store.Tx) error {
		f, err = getFile(tx, rel.Key())
		if err != nil {
			return err
		}
		if len(f.Drivers) > 0 {
			return spoolerr.New(spoolerr.Busy, 0, `file PRINT$\%s belongs to driver %s; remove that with spoolhost driver remove`, f.Path, describeKey(f.Drivers[0]))
		}
		return deleteFile(tx, f)
	})
	if err == nil {
		s.collect(ctx, f.Digest)
	}
	return err
}

// change runs one change after the other.
func (s *Share) change(ctx context.Context, fn func(store.Tx) error) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	return s.store.Update(ctx, fn)
}

// collect removes content that no record names any more.
func (s *Share) collect(ctx context.Context, digests ...string) {
	s.admin.Lock()
	defer s.admin.Unlock()
	for _, d := range slices.Compact(slices.Sorted(slices.Values(digests))) {
		if !isDigest(d) || s.isFresh(d) {
			continue
		}
		if used, err := s.used(ctx, d); err == nil && !used {
			_ = s.root.Remove(d) // what stays is swept at the next start
		}
	}
}

func (s *Share) used(ctx context.Context, digest string) (used bool, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		used = false
		for item, err := range tx.Scan(blobPrefix+digest+"/", "") {
			if item.Key == "" {
				return err
			}
			used = true
			break
		}
		return nil
	})
	return used, err
}
