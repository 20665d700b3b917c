// Package payload makes the documents of a load test, and checks them when they come out
// of a printer: each carries who it is, how long it is, and a checksum of every byte. The
// load generator and its sinks import it; it does no input or output.
package payload

import (
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
	"math/rand/v2"
)

// A document is a header, a body of noise, and the CRC-32C of all that is before it.
const (
	magic      = "spoolben"
	headerSize = len(magic) + 4*8
	sumSize    = crc32.Size
	// MinSize is the size of the smallest document.
	MinSize = 64
)

// Document says which document of which run it is.
type Document struct {
	Run   uint64 // chosen anew for each run: what another run left behind is foreign
	ID    uint64
	Queue uint64 // index of the queue that it was sent to
	Size  int64  // whole, in bytes; at least MinSize
}

func (d Document) header() []byte {
	b := append(make([]byte, 0, headerSize), magic...)
	for _, n := range []uint64{d.Run, d.ID, d.Queue, uint64(d.Size)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func parseHeader(b []byte) (Document, bool) {
	if string(b[:len(magic)]) != magic {
		return Document{}, false
	}
	field := func(i int) uint64 { return binary.BigEndian.Uint64(b[len(magic)+8*i:]) }
	d := Document{Run: field(0), ID: field(1), Queue: field(2), Size: int64(field(3))}
	return d, d.Size >= MinSize
}

func newSum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// Source makes documents. All share one block of noise, each begins elsewhere in it. It
// may be used by several goroutines at a time.
type Source struct{ noise []byte }

// NewSource makes the noise, which is always the same: two runs do the same work.
func NewSource() *Source {
	const block = 1 << 20
	seed := [32]byte{'s', 'p', 'o', 'o', 'l'}
	s := &Source{noise: make([]byte, block)}
	_, _ = rand.NewChaCha8(seed).Read(s.noise) // It never fails.
	return s
}

// Reader gives a document's bytes, once.
func (s *Source) Reader(d Document) io.Reader {
	const stride = 7919 // a prime: neighbours begin far from each other
	return &reader{
		noise: s.noise, at: int(d.ID * stride % uint64(len(s.noise))), pending: d.header(),
		body: d.Size - int64(headerSize+sumSize), sum: newSum(),
	}
}

type reader struct {
	noise   []byte
	at      int
	pending []byte // header, and at the end the sum
	body    int64  // bytes of noise to come
	sum     hash.Hash32
	ended   bool
}

// Read fills p as far as the document goes.
func (r *reader) Read(p []byte) (total int, err error) {
	for len(p) > 0 {
		n := r.some(p)
		if n == 0 {
			break
		}
		total, p = total+n, p[n:]
	}
	if total == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return total, nil
}

// some copies from header, noise or sum; 0 is the end.
func (r *reader) some(p []byte) int {
	switch {
	case len(r.pending) > 0:
		n := copy(p, r.pending)
		r.pending = r.pending[n:]
		if !r.ended {
			r.sum.Write(p[:n])
		}
		return n
	case r.body > 0:
		n := copy(p[:min(int64(len(p)), r.body)], r.noise[r.at:])
		r.sum.Write(p[:n])
		r.body -= int64(n)
		r.at = (r.at + n) % len(r.noise)
		return n
	case r.ended:
		return 0
	}
	r.ended, r.pending = true, r.sum.Sum(nil)
	return r.some(p)
}

// Fault is what is wrong with a document that came out.
type Fault string

// The faults.
const (
	Good      Fault = ""
	Empty     Fault = "empty"      // a connection without a byte, such as a test of the line
	Foreign   Fault = "foreign"    // no document of a load test
	BrokenOff Fault = "broken off" // it ended before its end, as in an attempt that failed
	Corrupt   Fault = "corrupt"    // a byte is not what was sent
	TooLong   Fault = "too long"   // more came after its end
)

// Check takes what comes out of a printer, from the first byte on. The zero value is ready.
type Check struct {
	head   []byte
	doc    Document
	known  bool
	wrong  bool
	sum    hash.Hash32
	bytes  int64
	tail   [sumSize]byte
	tailed int
}

// Write takes the next bytes; it never fails. whole says that the document's last byte is
// among what came so far.
func (c *Check) Write(p []byte) (whole bool) {
	c.bytes += int64(len(p))
	if !c.known && !c.wrong {
		p = c.begin(p)
	}
	if !c.known {
		return false
	}
	before := c.doc.Size - int64(sumSize) - (c.bytes - int64(len(p)))
	if n := min(before, int64(len(p))); n > 0 {
		c.sum.Write(p[:n])
		p = p[n:]
	}
	c.tailed += copy(c.tail[c.tailed:], p)
	return c.bytes >= c.doc.Size
}

// begin collects the header, and gives what is left of p.
func (c *Check) begin(p []byte) []byte {
	n := min(headerSize-len(c.head), len(p))
	c.head = append(c.head, p[:n]...)
	if len(c.head) < headerSize {
		return nil
	}
	c.doc, c.known = parseHeader(c.head)
	c.wrong = !c.known
	c.sum = newSum()
	c.sum.Write(c.head)
	return p[n:]
}

// Bytes is how many came.
func (c *Check) Bytes() int64 { return c.bytes }

// End judges what came, when nothing more will. The document is known if its header came.
func (c *Check) End() (d Document, known bool, f Fault) {
	switch {
	case c.bytes == 0:
		f = Empty
	case !c.known && !c.wrong:
		f = BrokenOff
	case c.wrong:
		f = Foreign
	case c.bytes < c.doc.Size:
		f = BrokenOff
	case binary.BigEndian.Uint32(c.tail[:]) != c.sum.Sum32():
		f = Corrupt
	case c.bytes > c.doc.Size:
		f = TooLong
	}
	return c.doc, c.known, f
}
