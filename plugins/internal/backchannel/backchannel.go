// Package backchannel keeps what a device says while a document goes to it.
//
// The first-party monitors import it. It understands nothing of what it keeps.
package backchannel

import (
	"errors"
	"io"
	"sync"
)

// most is how much of a printer's talk is kept for ReadPort: the newest.
const most = 4 << 10

// Backchannel reads what the printer says for as long as the connection lives. Somebody
// must: a printer whose status nobody reads stops printing, and closing a connection
// with unread bytes resets it, which costs the document's tail.
type Backchannel struct {
	// Done is closed when reading has ended, and Err is why then: nil for an orderly close.
	Done chan struct{}
	Err  error

	mu   sync.Mutex
	kept []byte
}

// New starts nothing; Run does.
func New() *Backchannel { return &Backchannel{Done: make(chan struct{})} }

// Run reads until r ends. Who starts it waits for Done.
func (b *Backchannel) Run(r io.Reader) {
	defer close(b.Done)
	buf := make([]byte, 1024)
	for {
		n, err := r.Read(buf)
		b.keep(buf[:n])
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			b.Err = err
			return
		}
	}
}

func (b *Backchannel) keep(p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, p...)
	if over := len(b.kept) - most; over > 0 {
		b.kept = append(b.kept[:0], b.kept[over:]...)
	}
}

// Take moves kept bytes into p, oldest first.
func (b *Backchannel) Take(p []byte) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := copy(p, b.kept)
	b.kept = append(b.kept[:0], b.kept[n:]...)
	return n
}
