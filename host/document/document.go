// Package document keeps spooled documents, each written once, summed while it is
// written, and durable before anybody is told its name. Small ones lie behind each other
// in segments, long ones are files of their own; Document hides which.
//
// The host's job, portmon, spooler and front-end packages import it. It does not know
// what a job is: who may read a document, and when it is removed, is decided above.
package document

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Ref is what a job record keeps of its document: enough to find it and to know it again.
type Ref struct {
	ID   string `json:"id"`
	Size int64  `json:"size"`
	// Digest tells damage: the name of a hash, a colon, and its sum in lower-case
	// hexadecimal. The hash is XXH64, which costs the disk's speed nothing; it is no proof
	// against malice.
	Digest string `json:"digest,omitempty"`
	// SHA256 is what documents of older hosts have in place of Digest.
	SHA256 string `json:"sha256,omitempty"`
}

const digestPrefix = "xxh64:"

// digestOf words a sum.
func digestOf(sum hash.Hash) string { return digestPrefix + hex.EncodeToString(sum.Sum(nil)) }

// check gives the hash that a Ref names, and what its sum must be.
func (r Ref) check() (sum hash.Hash, want string) {
	if want, ok := strings.CutPrefix(r.Digest, digestPrefix); ok {
		return xxhash.New(), want
	}
	return sha256.New(), r.SHA256
}

// Document is a stored document, open for reading. It is safe for concurrent use.
type Document struct {
	file    *os.File
	offset  int64
	size    int64
	segment *segment // nil for a file of its own
	growing *Growing // of one that is still being written; else nil
	store   *Store
	closed  sync.Once
}

// Open opens the document for reading and compares its length.
func (s *Store) Open(ctx context.Context, ref Ref) (*Document, error) {
	if err := ctx.Err(); err != nil {
		return nil, spoolerr.Wrap(err, "document %s was not opened", quote(ref.ID))
	}
	at, err := parseID(ref.ID)
	if err != nil {
		return nil, err
	}
	d := &Document{size: ref.Size, store: s, offset: at.offset}
	length := ref.Size
	if at.segmented {
		d.segment, err = s.segments.open(at.file)
		length = at.length
	} else {
		d.file, err = s.root.Open(at.file)
	}
	if err != nil {
		return nil, s.failure(ref.ID, err)
	}
	if d.segment != nil {
		d.file = d.segment.reader
	}
	info, err := d.file.Stat()
	if err == nil && (!info.Mode().IsRegular() || length != ref.Size || at.segmented && info.Size() < at.offset+length || !at.segmented && info.Size() != length) {
		err = spoolerr.New(spoolerr.Corrupt, 0, "document %s does not have its %d bytes any more (its file has %d); cancel the job and submit it again",
			ref.ID, ref.Size, info.Size())
	}
	if err != nil {
		_ = d.Close()
		return nil, s.failure(ref.ID, err)
	}
	return d, nil
}

// ReadAt implements io.ReaderAt.
func (d *Document) ReadAt(p []byte, off int64) (int, error) {
	size := d.length()
	if off < 0 || off >= size {
		return 0, io.EOF
	}
	short := int64(len(p)) > size-off
	if short {
		p = p[:size-off]
	}
	n, err := d.file.ReadAt(p, d.offset+off)
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

// Size is the document's length in bytes, as far as it has come.
func (d *Document) Size() int64 { return d.length() }

// File is the file that holds the document and nothing else, for passing its descriptor
// on; nil if it lies in a segment, where others' documents are that no module may see. It
// stays the Document's: whoever uses it leaves its read position alone and does not close it.
func (d *Document) File() *os.File {
	if d.segment != nil {
		return nil
	}
	return d.file
}

// Close gives the file back. It may be called again.
func (d *Document) Close() error {
	d.closed.Do(func() {
		if d.segment != nil {
			d.store.segments.leave(d.segment)
			return
		}
		_ = d.file.Close() // nothing was written
	})
	return nil
}

// Verify reads the whole document and compares its sum: for documents that an earlier
// life of the host wrote.
func (s *Store) Verify(ctx context.Context, ref Ref) error {
	d, err := s.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	sum, want := ref.check()
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
	if hex.EncodeToString(sum.Sum(nil)) != want {
		return spoolerr.New(spoolerr.Corrupt, 0,
			"document %s is not what was spooled (its hash is wrong); cancel the job and submit it again", ref.ID)
	}
	return nil
}
