package wire

import (
	"context"
	"encoding/binary"
	"os"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// MaxTogether is the largest document that PrintDocPort carries, in bytes.
const MaxTogether = 256 << 10

// MaxRange is the longest part of a document's file that one WritePort names, in bytes. A
// device that is slower takes less of it.
const MaxRange = 64 << 20

// documentPacket is the length of a packet that carries a descriptor: its number.
const documentPacket = 8

// Documents takes descriptors of documents from the host. A nil one gets none.
type Documents struct {
	conn packetConn

	mu    sync.Mutex // held while a packet is awaited
	early map[uint64]*os.File
}

// packetConn receives packets with a descriptor each.
type packetConn interface {
	SetReadDeadline(t time.Time) error
	receive(p []byte) (n int, file *os.File, err error)
}

// maxEarly bounds the descriptors that came for calls which have not: the calls were given
// up before they arrived.
const maxEarly = 64

// Take gives the descriptor that the host sent under a number; the caller closes it.
func (d *Documents) Take(ctx context.Context, number uint64) (*os.File, error) {
	if d == nil {
		return nil, spoolerr.New(spoolerr.Unsupported, 0, "this process has no socket for documents")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if deadline, ok := ctx.Deadline(); ok {
		_ = d.conn.SetReadDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = d.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		if file := d.early[number]; file != nil {
			delete(d.early, number)
			return file, nil
		}
		var packet [documentPacket]byte
		n, file, err := d.conn.receive(packet[:])
		if err != nil {
			return nil, spoolerr.As(err, spoolerr.Unavailable, "the socket for documents")
		}
		if n != documentPacket || file == nil {
			continue
		}
		d.keep(binary.BigEndian.Uint64(packet[:]), file)
	}
}

// keep holds a descriptor until it is asked for; the oldest go when there are too many.
func (d *Documents) keep(number uint64, file *os.File) {
	if d.early == nil {
		d.early = make(map[uint64]*os.File)
	}
	d.early[number] = file
	for len(d.early) > maxEarly {
		oldest := number
		for n := range d.early {
			oldest = min(oldest, n)
		}
		_ = d.early[oldest].Close()
		delete(d.early, oldest)
	}
}
