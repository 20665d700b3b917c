package document

import (
	"errors"
	"os"
	"slices"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const (
	// MaxInline is the longest document that goes into a segment, in bytes.
	MaxInline = bufferLen
	// segmentSize is the space that a segment takes from the beginning: so a sync has the
	// data to write and not the file's length.
	segmentSize = 16 << 20
	// align keeps a page of the disk to one document: what is durable is not written again.
	align = 4 << 10
)

// extents are the live documents of a segment: their lengths by their offsets.
type extents map[int64]int64

// segment is a file with small documents behind each other. It only grows, and is removed
// as a whole when it takes no more and none of its documents is live; until then the space
// of the dead ones is given back by Trim.
type segment struct {
	name   string
	file   file     // nil if it takes no more documents
	reader *os.File // nil as long as nobody reads
	users  int      // of reader: open documents
	sync   syncGroup

	live    extents
	next    int64 // where the next document goes
	trimmed int   // len(live) when it was last trimmed, and 0 before
	writing int   // documents that are being written
}

// segments are those of a Store. Its mutex is not held while a segment is made, written
// or synced.
type segments struct {
	store *Store

	mu      sync.Mutex
	all     map[string]*segment
	current *segment
	making  chan struct{} // closed when the segment that is being made is there; nil if none is
}

// append writes a document behind the others and syncs it, together with those of others
// who come at the same time.
func (g *segments) append(data []byte) (id string, err error) {
	seg, offset, err := g.reserve(int64(len(data)))
	if err != nil {
		return "", err
	}
	_, err = seg.file.WriteAt(data, offset)
	if err == nil {
		err = seg.sync.do()
	}
	g.written(seg, offset, err)
	return segmentID(seg.name, offset, int64(len(data))), err
}

// reserve gives a place for a document, in a new segment if the current one is full.
func (g *segments) reserve(n int64) (*segment, int64, error) {
	for {
		g.mu.Lock()
		if seg := g.current; seg != nil && seg.next+n <= segmentSize {
			offset := seg.next
			seg.next += (n + align - 1) / align * align
			seg.live[offset] = n
			seg.writing++
			g.mu.Unlock()
			return seg, offset, nil
		}
		if making := g.making; making != nil {
			g.mu.Unlock()
			<-making
			continue
		}
		g.making = make(chan struct{})
		g.mu.Unlock()
		if err := g.replace(); err != nil {
			return nil, 0, err
		}
	}
}

// replace makes the next segment the current one.
func (g *segments) replace() error {
	next, err := g.make()
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.making)
	g.making = nil
	old := g.current
	if g.current = next; next != nil {
		g.add(next)
	}
	if old != nil {
		g.settle(old)
	}
	return err
}

func (g *segments) add(s *segment) {
	if g.all == nil {
		g.all = make(map[string]*segment)
	}
	g.all[s.name] = s
}

// make makes an empty segment whose name is durable.
func (g *segments) make() (_ *segment, err error) {
	name := newName()
	path := name + segmentEnd
	g.store.keep(path)
	f, err := g.store.create(path)
	if err == nil {
		if err = reserveSpace(f, segmentSize); err == nil {
			err = g.store.sync.do()
		}
		if err != nil {
			_ = f.Close()
			g.unlink(name)
		}
	}
	if err != nil {
		g.store.forget(path)
		return nil, err
	}
	return &segment{name: name, file: f, live: extents{}, sync: syncGroup{fn: f.Sync}}, nil
}

// written ends the writing of a document. A segment in which one has failed takes no more:
// after a sync that failed nobody knows what the disk holds of the next.
func (g *segments) written(seg *segment, offset int64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seg.writing--
	if err != nil {
		delete(seg.live, offset)
		if g.current == seg {
			g.current = nil
		}
	}
	g.settle(seg)
}

// settle closes what takes no more documents, and removes it if none is live; g.mu is held.
func (g *segments) settle(seg *segment) {
	if seg == g.current || seg.writing > 0 {
		return
	}
	if seg.file != nil {
		_ = seg.file.Close() // synced already
		seg.file = nil
	}
	if len(seg.live) == 0 && g.all[seg.name] == seg {
		delete(g.all, seg.name)
		g.unlink(seg.name)
	}
	g.shut(seg)
}

// shut closes the reader of a segment that is gone when nobody reads; g.mu is held.
func (g *segments) shut(seg *segment) {
	if seg.users == 0 && seg.reader != nil && g.all[seg.name] != seg {
		_ = seg.reader.Close()
		seg.reader = nil
	}
}

func (g *segments) unlink(name string) {
	_ = g.store.root.Remove(name + segmentEnd) // else the next life's Sweep does it
	g.store.forget(name + segmentEnd)
}

// adopt takes over a segment of an earlier life.
func (g *segments) adopt(name string, live extents) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all[name] == nil {
		g.add(&segment{name: name, live: live})
	}
}

// open gives a segment for reading; leave must follow.
func (g *segments) open(name string) (*segment, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seg := g.all[name]
	if seg == nil {
		seg = &segment{name: name} // not swept yet: it is read, and nothing else
	}
	if seg.reader == nil {
		f, err := g.store.root.Open(name + segmentEnd)
		if err != nil {
			return nil, err
		}
		seg.reader = f
	}
	seg.users++
	return seg, nil
}

func (g *segments) leave(seg *segment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seg.users--
	g.shut(seg)
}

func (g *segments) remove(at place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if seg := g.all[at.file]; seg != nil && seg.live[at.offset] == at.length {
		delete(seg.live, at.offset)
		g.settle(seg)
	}
}

// Trim gives the space of removed documents back that lie in segments with live ones. It
// is for now and then.
func (s *Store) Trim() error {
	var failed error
	for _, seg := range s.segments.worth() {
		failed = errors.Join(failed, s.trim(seg))
	}
	return spoolerr.As(failed, kindOf(failed), "document directory %s: space was not given back", s.dir)
}

// worth gives the segments that take no more and have lost documents since the last Trim.
func (g *segments) worth() (list []*segment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, seg := range g.all {
		if seg != g.current && seg.writing == 0 && seg.trimmed != len(seg.live) {
			list = append(list, seg)
		}
	}
	return list
}

// trim cuts holes between the live documents. What is removed meanwhile is cut next time,
// and nothing is added.
func (s *Store) trim(seg *segment) error {
	s.segments.mu.Lock()
	starts := make([]int64, 0, len(seg.live))
	live := make(extents, len(seg.live))
	for offset, n := range seg.live {
		starts = append(starts, offset)
		live[offset] = n
	}
	seg.trimmed = len(live)
	s.segments.mu.Unlock()
	f, err := s.root.OpenFile(seg.name+segmentEnd, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // its last document was removed meanwhile
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	slices.Sort(starts)
	from := int64(0)
	for _, start := range append(starts, segmentSize) {
		if start > from {
			if err := punch(f, from, start-from); err != nil {
				return err
			}
		}
		from = (start + live[start] + align - 1) / align * align
	}
	return nil
}

// close gives the files back.
func (g *segments) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, seg := range g.all {
		if seg.file != nil {
			_ = seg.file.Close()
		}
		if seg.reader != nil {
			_ = seg.reader.Close()
		}
	}
	g.all, g.current = nil, nil
}
