// Package share is PRINT$: the files that clients of a host's printers copy, and the drivers
// that some of them belong to. A file's content lies in a directory under its digest; where
// it is in the share, and whose it is, is a record in the store. So no path that a person, a
// client or a module names ever reaches the file system.
//
// The spooler and the API import it. It runs nothing of what it keeps, and knows no printers.
package share

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/pointprint/digest"
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
	Digest   string    `json:"digest"` // see package digest
	Modified time.Time `json:"modified"`
	// Put says that a person put it there: it stays without a driver.
	Put bool `json:"put,omitempty"`
	// Drivers are the keys of the drivers that it belongs to.
	Drivers []string `json:"drivers,omitempty"`
}

// Share is PRINT$ of a host, or of a cluster spooler. It is safe for concurrent use.
type Share struct {
	dir   string
	root  *os.Root
	store store.Store
	keys  keys
	now   func() time.Time

	admin sync.Mutex // serialises changes; never held with a module

	mu    sync.Mutex
	fresh map[string]int // blobs that are not in a record yet: they are not swept
}

// Open opens the share in a directory, which is made if it is missing. Its records are below
// prefix: Node, or that of a cluster spooler. It removes nothing, see Sweep.
func Open(dir, prefix string, s store.Store, now func() time.Time) (*Share, error) {
	sh := &Share{dir: dir, store: s, keys: newKeys(prefix), now: now, fresh: make(map[string]int)}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		sh.root, err = os.OpenRoot(dir)
	}
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "directory %s of PRINT$ cannot be opened; check its rights", dir)
	}
	return sh, nil
}

// Close gives the directory back.
func (s *Share) Close() error { return s.root.Close() }

// Node is where the records of a host's own share are.
const Node = "share/"

// Prefix is where those of a cluster spooler's share are.
func Prefix(spooler string) string { return "share-of/" + spool.Fold(spooler) + "/" }

// keys are the store's names.
type keys struct {
	file   string // PATH: a file
	blob   string // DIGEST/PATH: which files have which content
	driver string
	count  string // how many files there are
}

func newKeys(prefix string) keys {
	return keys{file: prefix + "file/", blob: prefix + "blob/", driver: prefix + "driver/", count: prefix + "count"}
}

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
		f, err = s.keys.getFile(tx, rel.Key())
		return err
	})
	return f, err
}

func (k keys) getFile(tx store.Tx, key string) (f File, err error) {
	b, err := tx.Get(k.file + key)
	if errors.Is(err, spoolerr.NotFound) {
		return f, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, `there is no file PRINT$\%s; see spoolhost share list`, key)
	}
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil || !digest.Is(f.Digest) {
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
		for item, err := range tx.Scan(s.keys.file+prefix, "") {
			if item.Key == "" {
				return err
			}
			f, err := s.keys.getFile(tx, strings.TrimPrefix(item.Key, s.keys.file))
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
		old, err := s.keys.getFile(tx, rel.Key())
		switch {
		case err == nil && len(old.Drivers) > 0 && old.Digest != b.Digest:
			return spoolerr.New(spoolerr.Denied, 0, `file PRINT$\%s belongs to driver %s; replace the driver with spoolhost driver add --replace`, old.Path, describeKey(old.Drivers[0]))
		case err == nil:
			f.Drivers, dropped = old.Drivers, old.Digest
		case !errors.Is(err, spoolerr.NotFound) && !errors.Is(err, spoolerr.Corrupt):
			return err
		}
		return s.keys.putFile(tx, f, dropped)
	})
	if err == nil && dropped != f.Digest {
		s.collect(ctx, dropped)
	}
	return f, err
}

// counted notes that there are so many files more.
func (k keys) counted(tx store.Tx, more int) error {
	n, err := k.files(tx)
	if err != nil {
		return err
	}
	if more > 0 && n+more > MaxFiles {
		return spoolerr.New(spoolerr.Exhausted, 0, "PRINT$ has %d files, which is the most; remove some with spoolhost share remove", n)
	}
	return tx.Put(k.count, []byte(strconv.Itoa(max(n+more, 0))))
}

// files gives how many files there are. One that has never counted them does so now.
func (k keys) files(tx store.Tx) (n int, err error) {
	b, err := tx.Get(k.count)
	if err == nil {
		if n, err = strconv.Atoi(string(b)); err == nil {
			return n, nil
		}
	} else if !errors.Is(err, spoolerr.NotFound) {
		return 0, err
	}
	n = 0
	for item, err := range tx.Scan(k.file, "") {
		if item.Key == "" {
			return n, err
		}
		n++
	}
	return n, nil
}

// putFile writes a file's record in the place of one with the old digest; without that the
// path is new.
func (k keys) putFile(tx store.Tx, f File, old string) error {
	key := spool.Fold(f.Path)
	if old == "" {
		if err := k.counted(tx, 1); err != nil {
			return err
		}
	} else if old != f.Digest {
		if err := tx.Delete(k.blob + old + "/" + key); err != nil {
			return err
		}
	}
	data, err := json.Marshal(f)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "file %s", f.Path)
	}
	if err := tx.Put(k.file+key, data); err != nil {
		return err
	}
	return tx.Put(k.blob+f.Digest+"/"+key, []byte{1})
}

func (k keys) deleteFile(tx store.Tx, f File) error {
	key := spool.Fold(f.Path)
	return errors.Join(k.counted(tx, -1), tx.Delete(k.file+key), tx.Delete(k.blob+f.Digest+"/"+key))
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
		f, err = s.keys.getFile(tx, rel.Key())
		if err != nil {
			return err
		}
		if len(f.Drivers) > 0 {
			return spoolerr.New(spoolerr.Busy, 0, `file PRINT$\%s belongs to driver %s; remove that with spoolhost driver remove`, f.Path, describeKey(f.Drivers[0]))
		}
		return s.keys.deleteFile(tx, f)
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
	for _, d := range slices.Compact(slices.Sorted(slices.Values(digests))) {
		if err := s.collectOne(ctx, d); err != nil {
			return // what stays is swept later
		}
	}
}

func (s *Share) collectOne(ctx context.Context, sum string) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	if !digest.Is(sum) || s.isFresh(sum) {
		return nil
	}
	used, err := s.used(ctx, sum)
	if err != nil || used {
		return err
	}
	if err := s.root.Remove(sum); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failed(err)
	}
	return nil
}

func (s *Share) used(ctx context.Context, digest string) (used bool, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		used = false
		for item, err := range tx.Scan(s.keys.blob+digest+"/", "") {
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
