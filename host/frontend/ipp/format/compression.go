package format

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
)

// ErrCompressed is in the chain of every error of a document that cannot be unpacked.
var ErrCompressed = errors.New("the document is not compressed as its request says")

// Compressions are the values of compression that Decompress knows.
func Compressions() []string { return []string{"none", "gzip", "deflate"} }

// Decompress gives what is in a document; ok is false if the compression is not known. It
// reads nothing yet.
func Decompress(compression string, body io.Reader) (r io.Reader, ok bool) {
	switch compression {
	case "", "none", "identity":
		return body, true
	case "gzip", "x-gzip":
		return &unpacker{body: bufio.NewReader(body), open: func(r *bufio.Reader) (io.Reader, error) { return gzip.NewReader(r) }}, true
	case "deflate":
		return &unpacker{body: bufio.NewReader(body), open: inflate}, true
	}
	return nil, false
}

// inflate takes the bare format that RFC 8011 names, and the one with a header that HTTP
// means by the same word.
func inflate(r *bufio.Reader) (io.Reader, error) {
	head, err := r.Peek(2)
	if err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(r)
	}
	return flate.NewReader(r), nil
}

// unpacker opens its stream at the first Read, and tells what is wrong with the packing
// from what is wrong with the transport.
type unpacker struct {
	body *bufio.Reader
	open func(*bufio.Reader) (io.Reader, error)
	in   io.Reader
}

func (u *unpacker) Read(p []byte) (n int, err error) {
	if u.in == nil {
		if u.in, err = u.open(u.body); err != nil {
			return 0, packed(err)
		}
	}
	n, err = u.in.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, packed(err)
}

func packed(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, zlib.ErrHeader),
		errors.Is(err, zlib.ErrChecksum), errors.Is(err, zlib.ErrDictionary), errors.As(err, &corrupt),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.Join(ErrCompressed, err)
	}
	return err
}
