// Package journal keeps the newest writes of a store in a file that is synced once for each
// commit, until the store has put them where they belong.
//
// The bbolt store imports it. It knows nothing of transactions, starts no goroutine, and is
// not for concurrent use.
package journal

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrSync is in the chain of an error of Append after which nobody knows what the disk
// holds: only reading the file anew can tell.
var ErrSync = errors.New("the journal was not synced")

// ErrDamaged is in the chain of an error of Load: what had been synced cannot be read.
var ErrDamaged = errors.New("the journal is damaged")

// step is by how much the file grows at a time. What is overwritten later has its place on
// the disk already, so that a sync has the data to write and no table of blocks.
const step = 256 << 10

// ID says which store a journal belongs to.
type ID [16]byte

// Journal is one file of records. It has a generation: the records of one, in their order,
// are what a store has committed from one checkpoint to the next.
type Journal struct {
	path     string
	id       ID
	capacity int64

	file *os.File // nil as long as nothing is written
	head head
	end  int64 // behind the last record
	size int64 // of the file
	seq  uint32
	buf  []byte
}

// New makes a journal that takes up to capacity bytes in a generation. It touches no file.
func New(path string, id ID, capacity int64) *Journal {
	return &Journal{path: path, id: id, capacity: capacity}
}

// Begin begins a generation: what was recorded before is no longer wanted. Nothing is written
// before the first Append.
func (j *Journal) Begin(generation uint64) {
	j.head = head{id: j.id, generation: generation}
	_, _ = rand.Read(j.head.salt[:]) // It never fails.
	j.end, j.seq = 0, 0
}

// Generation is that of the last Begin or Load; 0 is none.
func (j *Journal) Generation() uint64 { return j.head.generation }

// Used is the number of bytes that the records of the generation take.
func (j *Journal) Used() int64 { return j.end }

// Fits says whether the generation has room for a record of n bytes.
func (j *Journal) Fits(n int) bool { return j.end+headLen+recordLen(n) <= j.capacity }

// Append makes a record durable: writes as AppendWrite encodes them. If it fails without
// ErrSync nothing was recorded, and it may be tried again.
func (j *Journal) Append(writes []byte) error {
	if err := j.Open(); err != nil {
		return err
	}
	at := j.end
	j.buf = j.buf[:0]
	if at == 0 {
		j.buf = j.head.append(j.buf)
	}
	j.buf = j.head.appendRecord(j.buf, j.seq+1, writes)
	end := at + int64(len(j.buf))
	if err := j.grow(end); err != nil {
		return err
	}
	if _, err := j.file.WriteAt(j.buf, at); err != nil {
		return errors.Join(err, j.wipe(at))
	}
	if err := dataSync(j.file); err != nil {
		return errors.Join(ErrSync, err)
	}
	j.end, j.seq = end, j.seq+1
	if cap(j.buf) > 4*step {
		j.buf = nil
	}
	return nil
}

// grow gives the file its place on the disk up to end and somewhat beyond.
func (j *Journal) grow(end int64) error {
	if end <= j.size {
		return nil
	}
	grown := (end + step - 1) / step * step
	if _, err := j.file.WriteAt(make([]byte, grown-j.size), j.size); err != nil {
		return err
	}
	j.size = grown
	return nil
}

// wipe takes back what may have been written of a record at an offset: it must not turn up
// later, for its writer has been told that it was not recorded.
func (j *Journal) wipe(at int64) error {
	_, err := j.file.WriteAt(make([]byte, 2*headLen), at)
	if err = errors.Join(err, dataSync(j.file)); err != nil {
		return errors.Join(ErrSync, err)
	}
	return nil
}

// Open makes the file, whose name is durable then, and its space reserved: a disk that becomes
// full later takes all that the journal has room for. It may be called again; Append does.
func (j *Journal) Open() error {
	if j.file != nil {
		return nil
	}
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err = reserve(f, j.capacity); err == nil {
		err = syncDir(filepath.Dir(j.path))
	}
	if err != nil {
		_ = f.Close()
		if j.end == 0 {
			_ = os.Remove(j.path) // it has nothing that is wanted
		}
		return err
	}
	j.file = f
	return nil
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Close gives the file back.
func (j *Journal) Close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// Remove removes the file, once nothing in it is wanted.
func (j *Journal) Remove() error {
	err := errors.Join(j.Close(), os.Remove(j.path))
	j.size = 0
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
