package tcpmon

import (
	"errors"
	"io"
	"sync"
)

// keptBytes is how much of a printer's talk is kept for ReadPort: the newest.
const keptBytes = 4 << 10

// backchannel reads what the printer says for as long as the connection lives. Somebody
// must: a printer whose status nobody reads stops printing, and closing a connection
// with unread bytes resets it, which costs the document's tail.
type backchannel struct {
	done chan struct{}
	// err is why reading ended, nil for an orderly close. Read it after done.
	err error

	mu   sync.Mutex
	kept []byte
}

func newBackchannel() *backchannel { return &backchannel{done: make(chan struct{})} }

// run reads until r ends. The link that starts it waits for it.
func (b *backchannel) run(r io.Reader) {
	defer close(b.done)
	buf := make([]byte, 1024)
	for {
		n, err := r.Read(buf)
		b.keep(buf[:n])
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			b.err = err
			return
		}
	}
}

func (b *backchannel) keep(p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, p...)
	if over := len(b.kept) - keptBytes; over > 0 {
		b.kept = append(b.kept[:0], b.kept[over:]...)
	}
}

// take moves kept bytes into p, oldest first.
func (b *backchannel) take(p []byte) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := copy(p, b.kept)
	b.kept = append(b.kept[:0], b.kept[n:]...)
	return n
}
