package document

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Writer writes one document. It is not for concurrent use. It ends by Commit or Abort;
// after a failed Write only Abort makes sense.
type Writer struct {
	store *Store
	id    string
	file  file
	sum   hash.Hash
	size  int64
	err   error // the first failure of Write
	ended bool
}

var _ io.ReaderFrom = (*Writer)(nil)

func newWriter(s *Store, id string, f file) *Writer {
	return &Writer{store: s, id: id, file: f, sum: sha256.New()}
}

// ID is the id the document will have.
func (w *Writer) ID() string { return w.id }

// Size is the number of bytes written so far.
func (w *Writer) Size() int64 { return w.size }

// Write appends p.
func (w *Writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, w.over()
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	w.sum.Write(p[:n])
	w.size += int64(n)
	w.err = w.store.failure(w.id, err)
	return n, w.err
}

// ReadFrom implements io.ReaderFrom, so that io.Copy uses a buffer of good size.
func (w *Writer) ReadFrom(r io.Reader) (total int64, err error) {
	buf := w.store.buffers.Get().(*[]byte)
	defer w.store.buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, *buf)
}

// Commit makes the document durable and gives its Ref. If it fails nothing is left
// behind. A ctx that ends while it runs does not stop it.
func (w *Writer) Commit(ctx context.Context) (ref Ref, err error) {
	if w.ended {
		return Ref{}, w.over()
	}
	if err := w.flush(ctx); err != nil {
		_ = w.Abort()
		return Ref{}, err
	}
	w.ended = true
	if err := w.publish(); err != nil {
		w.discard()
		return Ref{}, w.store.failure(w.id, err)
	}
	return Ref{ID: w.id, Size: w.size, SHA256: hex.EncodeToString(w.sum.Sum(nil))}, nil
}

func (w *Writer) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return spoolerr.Wrap(err, "document %s was given up", w.id)
	}
	if w.err != nil {
		return w.err
	}
	return w.store.failure(w.id, w.file.Sync())
}

// publish gives the file its name. The directory is synced once for all documents that
// are committed at the same time.
func (w *Writer) publish() error {
	if err := w.file.Close(); err != nil {
		return err
	}
	if err := w.store.root.Rename(w.id+unfinished, w.id); err != nil {
		return err
	}
	return w.store.sync.do()
}

// Abort removes what was written. It may be called again, and does nothing after Commit.
func (w *Writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	_ = w.file.Close()
	w.discard()
	return nil
}

// discard removes the file under whichever name it has. If even that fails the next
// life's Sweep does it.
func (w *Writer) discard() {
	_ = w.store.root.Remove(w.id + unfinished)
	_ = w.store.root.Remove(w.id)
	w.store.forget(w.id)
}

func (w *Writer) over() error {
	return spoolerr.New(spoolerr.Precondition, spoolerr.CodeInvalidHandle,
		"document %s is already committed or given up; create another", w.id)
}
