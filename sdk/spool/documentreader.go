package spool

import (
	"io"
	"net"
	"os"
	"syscall"
)

// DocumentReader reads a part of a document from the file in which the host keeps it. Its
// WriteTo lets the kernel carry the bytes to a network connection where it can (sendfile);
// io.Copy uses it. It is not safe for concurrent use.
type DocumentReader struct {
	file     *os.File
	off, end int64
}

// NewDocumentReader reads n bytes of a file from an offset. It leaves the file's own read
// position alone, and does not close it.
func NewDocumentReader(file *os.File, off, n int64) *DocumentReader {
	return &DocumentReader{file: file, off: off, end: off + n}
}

// Len is how many bytes are left.
func (r *DocumentReader) Len() int64 { return r.end - r.off }

// Next gives a reader of the next n bytes, or of what is left if that is less; r itself
// does not move.
func (r *DocumentReader) Next(n int64) *DocumentReader {
	return &DocumentReader{file: r.file, off: r.off, end: min(r.end, r.off+max(n, 0))}
}

// Skip leaves out n bytes, or what is left if that is less.
func (r *DocumentReader) Skip(n int64) { r.off = min(r.end, r.off+max(n, 0)) }

// Read implements io.Reader.
func (r *DocumentReader) Read(p []byte) (int, error) {
	if r.Len() <= 0 {
		return 0, io.EOF
	}
	n, err := r.file.ReadAt(p[:min(int64(len(p)), r.Len())], r.off)
	r.off += int64(n)
	if n > 0 {
		err = nil
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF // the file is shorter than the document
	}
	return n, err
}

// WriteTo writes all that is left to w. If w has a write deadline that passes, or fails,
// it gives the bytes that w took, and goes on after them when it is called again.
func (r *DocumentReader) WriteTo(w io.Writer) (n int64, err error) {
	switch w.(type) {
	case *net.TCPConn, *net.UnixConn:
		if conn, ok := w.(syscall.Conn); ok {
			if n, done, err := r.send(conn); done {
				return n, err
			}
		}
	}
	buf := make([]byte, min(r.Len(), ChunkSize))
	for r.Len() > 0 {
		start := r.off
		got, err := r.Read(buf)
		if err != nil {
			return n, err
		}
		took, err := w.Write(buf[:got])
		n += int64(took)
		r.off = start + int64(took)
		if err == nil && took < got {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
