// Package document keeps spooled documents: each is a file in one directory, written
// once, hashed while it is written, and durable before anybody is told its name.
//
// The host's job, portmon, spooler and front-end packages import it. It does not know
// what a job is: who may read a document, and when it is removed, is decided above.
package document

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Ref is what a job record keeps of its document: enough to find it and to know it again.
type Ref struct {
	ID   string `json:"id"`
	Size int64  `json:"size"`
	// SHA256 is in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
}

// Document is a stored document, open for reading. It is safe for concurrent use.
type Document struct {
	file *os.File
	size int64
	id   string
}

// Open opens the document for reading and compares its length.
func (s *Store) Open(ctx context.Context, ref Ref) (*Document, error) {
	if err := ctx.Err(); err != nil {
		return nil, spoolerr.Wrap(err, "document %s was not opened", quote(ref.ID))
	}
	if err := checkID(ref.ID); err != nil {
		return nil, err
	}
	file, err := s.root.Open(ref.ID)
	if err != nil {
		return nil, s.failure(ref.ID, err)
	}
	info, err := file.Stat()
	if err == nil && (info.Size() != ref.Size || !info.Mode().IsRegular()) {
		err = spoolerr.New(spoolerr.Corrupt, 0, "document %s has %d bytes instead of %d; cancel the job and submit it again",
			ref.ID, info.Size(), ref.Size)
	}
	if err != nil {
		_ = file.Close()
		return nil, s.failure(ref.ID, err)
	}
	return &Document{file: file, size: ref.Size, id: ref.ID}, nil
}

// ReadAt implements io.ReaderAt.
func (d *Document) ReadAt(p []byte, off int64) (int, error) { return d.file.ReadAt(p, off) }

// Size is the document's length in bytes.
func (d *Document) Size() int64 { return d.size }

// File is the file that holds the document, for passing its descriptor on. It stays the
// Document's: whoever uses it leaves its read position alone and does not close it.
func (d *Document) File() *os.File { return d.file }

// Offset is where the document begins in File.
func (d *Document) Offset() int64 { return 0 }

// Close gives the file back. It may be called again.
func (d *Document) Close() error {
	_ = d.file.Close() // nothing was written; a second close is no error here
	return nil
}

// Verify reads the whole document and compares its hash: for documents that an earlier
// life of the host wrote.
func (s *Store) Verify(ctx context.Context, ref Ref) error {
	d, err := s.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	sum := sha256.New()
	in := io.NewSectionReader(d, 0, d.size)
	for {
		if err := ctx.Err(); err != nil {
			return spoolerr.Wrap(err, "document %s was not verified", ref.ID)
		}
		n, err := in.Read(*buf)
		sum.Write((*buf)[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return s.failure(ref.ID, err)
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != ref.SHA256 {
		return spoolerr.New(spoolerr.Corrupt, 0,
			"document %s is not what was spooled (its hash is wrong); cancel the job and submit it again", ref.ID)
	}
	return nil
}
