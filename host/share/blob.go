package share

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/pointprint/digest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Blob is content that has been stored, and is kept until Release even if no file has it.
type Blob struct {
	Digest string
	Size   int64

	share *Share
}

const temporary = ".part-"

// Store writes content to disk under its digest; it is durable when it returns. size is
// what it must have. Release it when a file has it, or none shall.
func (s *Share) Store(ctx context.Context, r io.Reader, size int64) (Blob, error) {
	if size < 0 || size > MaxFile {
		return Blob{}, spoolerr.New(spoolerr.Exhausted, 0, "a file of PRINT$ has at most %d bytes; this one has %d", MaxFile, size)
	}
	name := temporary + rand.Text()
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Blob{}, s.failed(err)
	}
	sum := digest.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = spoolerr.New(spoolerr.Invalid, 0, "the file has not the %d bytes that were announced", size)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = s.root.Remove(name)
		return Blob{}, s.failed(err)
	}
	b := Blob{Digest: digest.Text(sum), Size: size, share: s}
	return b, s.keep(name, b.Digest)
}

// keep gives what was written its name.
func (s *Share) keep(name, sum string) error {
	s.admin.Lock() // nobody is just removing what has the digest
	s.mu.Lock()
	s.fresh[sum]++
	s.mu.Unlock()
	s.admin.Unlock()
	err := s.root.Rename(name, sum)
	if err == nil {
		err = s.syncNames()
	}
	if err != nil {
		_ = s.root.Remove(name)
		Blob{Digest: sum, share: s}.Release(context.Background())
	}
	return s.failed(err)
}

func (s *Share) syncNames() error {
	d, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Release lets content go that no file has taken.
func (b Blob) Release(ctx context.Context) {
	if b.share == nil {
		return
	}
	b.share.mu.Lock()
	if b.share.fresh[b.Digest]--; b.share.fresh[b.Digest] <= 0 {
		delete(b.share.fresh, b.Digest)
	}
	b.share.mu.Unlock()
	b.share.collect(context.WithoutCancel(ctx), b.Digest)
}

func (s *Share) isFresh(digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fresh[digest] > 0
}

// failed gives an error of the disk a kind.
func (s *Share) failed(err error) error {
	var own *spoolerr.Error
	switch {
	case err == nil, errors.As(err, &own):
		return err
	case errors.Is(err, errDiskFull):
		return spoolerr.As(err, spoolerr.NoSpace, "directory %s of PRINT$ is full", s.dir)
	}
	return spoolerr.As(err, spoolerr.Unavailable, "directory %s of PRINT$", s.dir)
}

// Open opens a file's content; the caller closes it. With a digest the file must have that.
func (s *Share) Open(ctx context.Context, path, digest string) (*os.File, File, error) {
	f, err := s.Stat(ctx, path)
	if err != nil {
		return nil, f, err
	}
	if digest != "" && !strings.EqualFold(digest, f.Digest) {
		return nil, f, spoolerr.New(spoolerr.Corrupt, 0, `file PRINT$\%s has the digest %s, not %s: it was changed on the server; ask for it again`, f.Path, f.Digest, digest)
	}
	content, err := s.root.Open(f.Digest)
	if err != nil {
		return nil, f, spoolerr.As(err, spoolerr.Corrupt, `the content of file PRINT$\%s is missing; put it there again with spoolhost share add`, f.Path)
	}
	if info, err := content.Stat(); err != nil || info.Size() != f.Size {
		_ = content.Close()
		return nil, f, spoolerr.New(spoolerr.Corrupt, 0, `the content of file PRINT$\%s is damaged; put it there again with spoolhost share add`, f.Path)
	}
	return content, f, nil
}

// Section gives a file's content for random access. It holds nothing open and needs no
// closing.
func (s *Share) Section(ctx context.Context, path string) (*io.SectionReader, error) {
	content, f, err := s.Open(ctx, path, "")
	if err != nil {
		return nil, err
	}
	_ = content.Close()
	return io.NewSectionReader(part{s, f.Digest}, 0, f.Size), nil
}

// part opens content for each read.
type part struct {
	share  *Share
	digest string
}

func (p part) ReadAt(b []byte, at int64) (int, error) {
	f, err := p.share.root.Open(p.digest)
	if err != nil {
		return 0, p.share.failed(err)
	}
	defer func() { _ = f.Close() }()
	return f.ReadAt(b, at)
}

// Sweep removes what unfinished changes left. Another host may be writing into the same
// directory: what is young stays.
func (s *Share) Sweep(ctx context.Context) error {
	const young = time.Hour
	d, err := s.root.Open(".")
	if err != nil {
		return s.failed(err)
	}
	entries, err := d.ReadDir(-1)
	if err = errors.Join(err, d.Close()); err != nil {
		return s.failed(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || s.now().Sub(info.ModTime()) < young {
			continue
		}
		switch name := e.Name(); {
		case digest.Is(name):
			err = s.collectOne(ctx, name)
		case strings.HasPrefix(name, temporary):
			err = s.root.Remove(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.failed(err)
		}
	}
	return nil
}
