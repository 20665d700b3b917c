// Package modulefile keeps executables of modules on the storage that a cluster shares, by
// digest, and brings them to the nodes that want them.
//
// The composition root imports it. It decides which files a node fetches, by what the
// node's configuration allows, and launches nothing: what is fetched is installed by the
// host, through the same door as a file that an operator names.
package modulefile

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// MaxFile bounds an executable, in bytes.
const MaxFile = 1 << 30

// Files are executables by digest: those of the cluster, and those that this node has
// fetched.
type Files struct {
	// Shared and Local are directories; they are made when they are needed.
	Shared, Local string
}

// Put stores the file at path, which must have the digest, for all nodes. It is durable
// when Put returns. Content that is damaged is replaced.
func (f Files) Put(ctx context.Context, path, digest string) (size int64, err error) {
	from, err := os.Open(path)
	if err != nil {
		return 0, spoolerr.As(err, spoolerr.Unavailable, "module %s cannot be read", path)
	}
	defer func() { _ = from.Close() }()
	info, err := from.Stat()
	if err != nil {
		return 0, spoolerr.As(err, spoolerr.Unavailable, "module %s cannot be read", path)
	}
	if !info.Mode().IsRegular() || info.Size() > MaxFile {
		return 0, spoolerr.New(spoolerr.Exhausted, 0, "module %s is not a file of at most %d bytes", path, MaxFile)
	}
	return info.Size(), copyTo(ctx, f.Shared, from, digest, info.Size(), 0o600)
}

// Fetch gives the node's own copy of an executable, which is made and verified now.
func (f Files) Fetch(ctx context.Context, digest string, size int64) (path string, err error) {
	if !isDigest(digest) || size < 0 || size > MaxFile {
		return "", spoolerr.New(spoolerr.Corrupt, 0, "the cluster's record of the module is damaged; publish it again where it is installed")
	}
	root, err := os.OpenRoot(f.Shared)
	if err != nil {
		return "", fromShared(err)
	}
	defer func() { _ = root.Close() }()
	from, err := root.OpenFile(digest, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", fromShared(err)
	}
	defer func() { _ = from.Close() }()
	return filepath.Join(f.Local, digest), copyTo(ctx, f.Local, from, digest, size, 0o755)
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && s == strings.ToLower(s)
}

func fromShared(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return spoolerr.As(err, spoolerr.Corrupt, "the executable is missing on the shared storage; publish it again where it is installed")
	}
	return spoolerr.As(err, spoolerr.Unavailable, "the executable cannot be read from the shared storage")
}

// Remove forgets the cluster's copy. What nodes have fetched stays theirs.
func (f Files) Remove(digest string) error {
	if err := os.Remove(filepath.Join(f.Shared, digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return spoolerr.As(err, spoolerr.Unavailable, "module file %s is not used any more, and stays on the shared storage", digest)
	}
	return nil
}

// Fetched says that a path is that of a file which this node has fetched.
func (f Files) Fetched(path string) bool { return filepath.Dir(path) == f.Local }

// Sweep removes what this node has fetched, or began to, and none of the paths is of: it
// was replaced or removed since. It is for the start of a host, when nothing runs from it.
func (f Files) Sweep(used []string) error {
	list, err := os.ReadDir(f.Local)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range list {
		named := func(path string) bool { return filepath.Base(path) == e.Name() } // by whichever way to it
		if (isDigest(e.Name()) || strings.HasPrefix(e.Name(), partPrefix)) && !slices.ContainsFunc(used, named) {
			errs = append(errs, os.Remove(filepath.Join(f.Local, e.Name())))
		}
	}
	return ofDisk(errors.Join(errs...), f.Local)
}

// partPrefix begins the name of a file that is not whole yet.
const partPrefix = ".part-"

// copyTo copies what has a digest and a size into a directory, under the digest: whole,
// synced, or not at all.
func copyTo(ctx context.Context, dir string, from io.Reader, digest string, size int64, mode fs.FileMode) (retErr error) {
	defer func() { retErr = ofDisk(retErr, dir) }()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	name := partPrefix + rand.Text()
	to, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(whileWanted{ctx, from}, size+1))
	if found := hex.EncodeToString(sum.Sum(nil)); err == nil && (n != size || found != digest) {
		err = spoolerr.New(spoolerr.Corrupt, 0, "the executable has SHA-256 %s and not %s: it was damaged or changed; publish it again where it is installed", found, digest)
	}
	if err == nil {
		err = errors.Join(to.Chmod(mode), to.Sync()) // Chmod: whatever the umask
	}
	if err = errors.Join(err, to.Close()); err == nil {
		err = root.Rename(name, digest)
	}
	if err != nil {
		_ = root.Remove(name)
		return err
	}
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ofDisk gives an error of the disk a kind.
func ofDisk(err error, dir string) error {
	var own *spoolerr.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	return spoolerr.As(err, spoolerr.Unavailable, "directory %s of module files", dir)
}

// whileWanted is a reader that ends with its context.
type whileWanted struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r whileWanted) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
