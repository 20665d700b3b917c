package eventlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
)

// maxLine bounds a line that is read; longer ones are damaged.
const maxLine = 64 << 10

// rotated is the file of the log. It is used by one goroutine at a time.
type rotated struct {
	path string
	most int64
	file *os.File // nil: to be opened again
	size int64
	torn bool // the file may end in the middle of a line
}

// openRotated reads the last lines of the old file and the present one, and opens the latter
// to append. To parse a line costs much more than to pass over it.
func openRotated(path string, most int64, last int, load func(Event)) (*rotated, error) {
	names, surplus, sound := []string{path + ".1", path}, -last, false
	for _, name := range names {
		if err := withFile(name, func(in io.Reader) error {
			n, err := countLines(in)
			surplus += n
			return err
		}); err != nil {
			return nil, err
		}
	}
	take := func(e Event) {
		sound = true
		load(e)
	}
	err := readAll(names, surplus, take)
	if err == nil && surplus > 0 && !sound { // numbers go on from those that are before the damage
		err = readAll(names, 0, take)
	}
	if err != nil {
		return nil, err
	}
	r := &rotated{path: path, most: most}
	return r, r.open()
}

func (r *rotated) open() error {
	file, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	r.file, r.size = file, info.Size()
	last := []byte{'\n'}
	if r.size > 0 {
		_, err = file.ReadAt(last, r.size-1)
	}
	r.torn = err != nil || last[0] != '\n'
	return nil
}

// write appends whole lines.
func (r *rotated) write(lines []byte) error {
	if err := r.ready(int64(len(lines))); err != nil {
		return err
	}
	if r.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := r.file.Write(lines)
	r.size += int64(n)
	r.torn = r.torn && n == 0 || n > 0 && lines[n-1] != '\n'
	return err
}

// ready makes sure of an open file with room for n bytes.
func (r *rotated) ready(n int64) error {
	if r.file != nil && r.size > 0 && r.size+n > r.most {
		r.close()
		// If the old file cannot be replaced the present one grows on: better too long a
		// log than none.
		_ = os.Rename(r.path, r.path+".1")
	}
	if r.file == nil {
		return r.open()
	}
	return nil
}

func (r *rotated) close() {
	if r.file != nil {
		_ = r.file.Close() // the log promises nothing about what is not synced
	}
	r.file = nil
}

// readAll gives every sound line of the files to load, but the first so many.
func readAll(names []string, skip int, load func(Event)) error {
	for _, name := range names {
		if err := withFile(name, func(in io.Reader) (err error) {
			skip, err = readLines(in, skip, load)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// withFile reads a file, which may be missing.
func withFile(name string, read func(io.Reader) error) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return read(file)
}

func countLines(in io.Reader) (n int, err error) {
	buf := make([]byte, maxLine)
	for {
		got, err := in.Read(buf)
		n += bytes.Count(buf[:got], []byte{'\n'})
		if err != nil {
			return n, ended(err)
		}
	}
}

// readLines passes over so many lines and gives every sound one that follows to load. It
// gives how many were too few.
func readLines(in io.Reader, skip int, load func(Event)) (left int, err error) {
	lines := bufio.NewReaderSize(in, maxLine)
	for ; ; skip-- {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == nil && skip > 0:
		case err == nil:
			if e, ok := parse(line); ok {
				load(e)
			}
		case errors.Is(err, bufio.ErrBufferFull):
			if err := skipLine(lines); err != nil {
				return skip, ended(err)
			}
		default:
			return skip, ended(err) // what has no end of line was torn
		}
	}
}

func skipLine(lines *bufio.Reader) error {
	for {
		_, err := lines.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// parse reads one line. What has no number, time or object was not written by Add.
func parse(line []byte) (e Event, ok bool) {
	if err := json.Unmarshal(bytes.TrimSpace(line), &e); err != nil {
		return Event{}, false
	}
	if e.Seq == 0 || e.Time.IsZero() || e.Object == "" {
		return Event{}, false
	}
	return e.clean(), true
}
