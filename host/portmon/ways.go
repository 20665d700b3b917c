package portmon

import (
	"context"
	"io"
	"os"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// A document has three ways to a module. A small one goes with StartDocPort and EndDocPort
// in one call. Of others the module gets a descriptor, if it can use one, and is told
// which bytes to send. Else they go in chunks. The rules are the same for all: deadlines,
// short writes, "not ready", cancellation, and what an attempt comes to.

// smallPort is a port that may take a whole document in one call.
type smallPort interface {
	Has(capability string) bool
	PrintDoc(ctx context.Context, doc spool.Doc, data []byte) (monitorwire.Printed, error)
}

// filePort is a port that may take a document from the host's file.
type filePort interface {
	StartDocument(ctx context.Context, doc spool.Doc, file *os.File, offset int64) (taken bool, err error)
	WriteRange(ctx context.Context, offset, n int64) (int64, error)
}

// filed is a document that may lie in a file of its own; else File gives nil.
type filed interface{ File() *os.File }

// growing is a document of which more may come; only the end of Arrived's wait tells.
type growing interface {
	Arrived(ctx context.Context, from int64) (n int64, whole bool, err error)
}

// Unsized says whether the port takes documents whose length is not known yet.
func (p *Port) Unsized() bool {
	port, ok := p.port.(interface{ Has(capability string) bool })
	return ok && port.Has(monitor.CapUnsized)
}

// extent gives how much of the document may be offered now, and whether that is all of it.
func (w *printing) extent(ctx context.Context) (end int64, whole bool, err error) {
	if src, grows := w.src.(growing); grows && w.doc.Size == spool.SizeUnknown {
		return src.Arrived(ctx, w.sent)
	}
	return w.doc.Size, true, nil
}

// together prints a small document in one call; over says that nothing is left to do. A
// device that did not take all of it gets the rest like that of any other document.
func (w *printing) together(ctx context.Context) (over bool, err error) {
	port, ok := w.port.port.(smallPort)
	if !ok || w.doc.Size == spool.SizeUnknown || w.doc.Size > wire.MaxTogether || !port.Has(monitor.CapPrintDocPort) {
		return false, nil
	}
	data, err := w.chunks.at(w.src, 0, w.doc.Size)
	if err != nil {
		return false, unreadable(w.doc, 0, err)
	}
	w.port.offering(true)
	w.offered = w.doc.Size
	var done monitorwire.Printed
	err = w.step(ctx, "PrintDocPort", func(ctx context.Context) (err error) {
		done, err = port.PrintDoc(ctx, w.doc, data)
		return err
	})
	w.sent, w.started = int64(done.Written), done.Started && !done.Ended
	if w.answered(err) {
		w.offered = w.sent
	}
	if done.Sent {
		_ = w.port.Reported(w.doc.JobID, spool.JobControlSentToPrinter) // all of it was offered: it is not refused
	}
	if err != nil {
		return false, err
	}
	if w.sent > 0 {
		w.progress.Sent(w.sent)
	}
	if !done.Ended {
		return false, nil
	}
	return true, w.confirm(ctx)
}

// start begins a document, by descriptor if both sides can.
func (w *printing) start(ctx context.Context) error {
	err := w.step(ctx, "StartDocPort", func(ctx context.Context) (err error) {
		port, takes := w.port.port.(filePort)
		doc, has := w.src.(filed)
		if !takes || !has {
			return w.port.port.StartDoc(ctx, w.doc)
		}
		w.byFile, err = port.StartDocument(ctx, w.doc, doc.File(), 0)
		return err
	})
	w.started = err == nil
	return err
}

// chunks reads a document in chunks, and keeps what a device did not take at once.
type chunks struct {
	buf  []byte
	from int64 // where buf begins in the document
}

// at gives n bytes from an offset, or fewer if it has them.
func (c *chunks) at(src io.ReaderAt, off, n int64) ([]byte, error) {
	if have := c.from + int64(len(c.buf)) - off; off >= c.from && have > 0 {
		return c.buf[off-c.from:], nil
	}
	if int64(cap(c.buf)) < n {
		c.buf = make([]byte, n)
	}
	c.buf, c.from = c.buf[:n], off
	if got, err := src.ReadAt(c.buf, off); int64(got) < n {
		c.buf = c.buf[:0]
		return nil, err
	}
	return c.buf, nil
}
