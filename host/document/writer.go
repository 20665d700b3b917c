package document

import (
	"context"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const (
	// smallLen is the buffer that most documents fit into.
	smallLen = 32 << 10
	// writeOutLen is how much of a long document is written before the disk begins with it.
	writeOutLen = 8 << 20
)

// Writer writes one document. It is not for concurrent use. It ends by Commit or Abort;
// after a failed Write only Abort makes sense.
type Writer struct {
	store *Store
	sum   *xxhash.Digest
	size  int64
	err   error // the first failure of Write
	ended bool

	// A document that may yet turn out to be small is in held, and file is nil.
	held   []byte
	pooled *[]byte // the array of held

	name     string
	file     file
	started  int64    // how much of it the disk has begun with
	followed *Growing // what Follow gave
}

var _ io.ReaderFrom = (*Writer)(nil)

func newWriter(s *Store) *Writer {
	w := &Writer{store: s, sum: xxhash.New()}
	w.pooled = s.small.Get().(*[]byte)
	w.held = (*w.pooled)[:0]
	return w
}

// Size is the number of bytes written so far.
func (w *Writer) Size() int64 { return w.size }

// Write appends p.
func (w *Writer) Write(p []byte) (n int, err error) {
	if w.ended {
		return 0, w.over()
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.file == nil && !w.room(len(p)) {
		w.err = w.spill()
	}
	switch {
	case w.err != nil:
	case w.file == nil:
		w.held = append(w.held, p...)
		n = len(p)
		w.took(p)
	default:
		n, err = w.file.Write(p)
		w.err = w.store.failure(w.label(), err)
		w.took(p[:n])
		w.writeOut()
	}
	return n, w.err
}

func (w *Writer) took(p []byte) {
	_, _ = w.sum.Write(p)
	w.size += int64(len(p))
	if w.followed != nil && len(p) > 0 {
		w.followed.grow(w.size)
	}
}

// room makes room for n bytes in memory, if the document may still be a small one.
func (w *Writer) room(n int) bool {
	need := len(w.held) + n
	if need <= cap(w.held) {
		return true
	}
	if need > MaxInline {
		return false
	}
	larger := w.store.buffers.Get().(*[]byte)
	held := append((*larger)[:0], w.held...)
	w.unhold()
	w.held, w.pooled = held, larger
	return true
}

// unhold gives the memory back.
func (w *Writer) unhold() {
	switch {
	case w.pooled == nil:
	case len(*w.pooled) == smallLen:
		w.store.small.Put(w.pooled)
	default:
		w.store.buffers.Put(w.pooled)
	}
	w.held, w.pooled = nil, nil
}

// spill gives the document a file of its own and puts what is in memory there.
func (w *Writer) spill() error {
	name := newName()
	w.store.keep(name)
	f, err := w.store.create(name)
	if err != nil {
		w.store.forget(name)
		return w.store.failure(name, err)
	}
	w.name, w.file = name, f
	if len(w.held) > 0 {
		_, err = f.Write(w.held)
	}
	w.unhold()
	return w.store.failure(name, err)
}

// writeOut lets the disk begin with what has come, while more comes.
func (w *Writer) writeOut() {
	if n := w.size - w.started; n >= writeOutLen {
		writeOut(w.file, w.started, n)
		w.started += n
	}
}

// ReadFrom implements io.ReaderFrom: a small document is read to where it is held, and
// nothing is copied twice.
func (w *Writer) ReadFrom(r io.Reader) (total int64, err error) {
	for w.file == nil && !w.ended && w.err == nil {
		if len(w.held) == cap(w.held) && !w.room(1) {
			break
		}
		n, err := r.Read(w.held[len(w.held):cap(w.held)])
		total += int64(n)
		w.held = w.held[:len(w.held)+n]
		w.took(w.held[len(w.held)-n:])
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
	buf := w.store.buffers.Get().(*[]byte)
	defer w.store.buffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, *buf)
	return total + n, err
}

// Commit makes the document durable and gives its Ref. If it fails nothing is left
// behind. A ctx that ends while it runs does not stop it.
func (w *Writer) Commit(ctx context.Context) (ref Ref, err error) {
	if w.ended {
		return Ref{}, w.over()
	}
	if err = ctx.Err(); err != nil {
		err = spoolerr.Wrap(err, "document %s was given up", w.label())
	} else {
		err = w.err
	}
	var id string
	if err == nil {
		id, err = w.publish()
		err = w.store.failure(w.label(), err)
	}
	if err != nil {
		_ = w.Abort()
		return Ref{}, err
	}
	w.ended = true
	w.unhold()
	return Ref{ID: id, Size: w.size, Digest: digestOf(w.sum)}, nil
}

// publish makes the document durable: a small one in a segment, unless there is none to be
// had.
func (w *Writer) publish() (id string, err error) {
	if w.file == nil && !w.store.opts.Shared {
		if id, err = w.store.segments.append(w.held); err == nil {
			return id, nil
		}
	}
	if w.file == nil {
		if err := w.spill(); err != nil {
			return "", err
		}
	}
	if err := w.file.Sync(); err != nil {
		return "", err
	}
	if err := w.file.Close(); err != nil {
		return "", err
	}
	return w.name, w.store.sync.do() // once for all who commit at the same time
}

// Abort removes what was written. It may be called again, and does nothing after Commit.
func (w *Writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	w.unhold()
	if w.file != nil {
		_ = w.file.Close()
		_ = w.store.root.Remove(w.name) // else the next life's Sweep does it
		w.store.forget(w.name)
	}
	return nil
}

// label names the document in messages before it has an id.
func (w *Writer) label() string {
	if w.name == "" {
		return "(not stored yet)"
	}
	return w.name
}

func (w *Writer) over() error {
	return spoolerr.New(spoolerr.Precondition, spoolerr.CodeInvalidHandle,
		"the document is already committed or given up; create another")
}
