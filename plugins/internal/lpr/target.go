package lpr

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/deadline"
	"github.com/spoolhost/spoolhost/plugins/internal/netport"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// transfer is the connection for one document.
type transfer struct {
	*connection
	doc    spool.Doc
	name   names
	stream netport.Stream
}

var _ ports.Target = (*transfer)(nil)

// Open connects, and has the daemon accept the job up to the first byte of its data. The
// data goes straight through: its length is known from the document.
func Open(ctx context.Context, s Settings, doc spool.Doc) (ports.Target, error) {
	c, err := connect(ctx, s)
	if err != nil {
		return nil, err
	}
	netport.Incomplete(c.conn)
	t := &transfer{connection: c, doc: doc, name: jobNames(doc.JobID, senderName(s.Sender))}
	t.stream = netport.Stream{Remote: s.Remote, Conn: c.conn, Size: doc.Size, Patience: s.WriteTimeout}
	if err := t.begin(ctx); err != nil {
		t.Drop()
		return nil, err
	}
	return t, nil
}

func (t *transfer) begin(ctx context.Context) error {
	if err := t.step(ctx, "the job", string(rune(cmdReceive))+t.Queue+"\n"); err != nil {
		return err
	}
	if t.doc.Size == 0 {
		return nil // a data file of length 0 means "until the connection ends" to some
	}
	if t.ControlFirst {
		if err := t.control(ctx); err != nil {
			return err
		}
	}
	return t.step(ctx, "the data file", t.file(subData, t.doc.Size, t.name.data))
}

func (t *transfer) control(ctx context.Context) error {
	text := t.controlFile(t.doc, t.name)
	if err := t.step(ctx, "the control file", t.file(subControl, int64(len(text)), t.name.control)); err != nil {
		return err
	}
	return t.step(ctx, "the end of the control file", text+"\x00")
}

// Write hands bytes to the daemon: as many as it takes within the write time-out.
func (t *transfer) Write(ctx context.Context, p []byte) (int, error) {
	if err := t.room(int64(len(p))); err != nil {
		return 0, err
	}
	return t.stream.Write(ctx, p)
}

// WriteDocument is Write with the bytes that r holds.
func (t *transfer) WriteDocument(ctx context.Context, r *spool.DocumentReader) (int64, error) {
	if err := t.room(r.Len()); err != nil {
		return 0, err
	}
	return t.stream.WriteDocument(ctx, r)
}

func (t *transfer) room(n int64) error {
	if t.stream.Sent+n <= t.doc.Size {
		return nil
	}
	return spoolerr.New(spoolerr.Invalid, 0,
		"the document is longer than the %d bytes that were announced to %s", t.doc.Size, t.Address())
}

// Finish ends the data, and has the daemon accept the whole job.
func (t *transfer) Finish(ctx context.Context, stalled func()) error {
	switch {
	case t.stream.Sent != t.doc.Size:
		return spoolerr.New(spoolerr.Invalid, 0,
			"the document ended after %d of the %d bytes that were announced to %s", t.stream.Sent, t.doc.Size, t.Address())
	case t.doc.Size == 0:
		return nil
	}
	if err := t.send(ctx, []byte{0}); err != nil {
		return t.broken(ctx, "the end of the data", err)
	}
	if err := t.dataAccepted(ctx, stalled); err != nil || t.ControlFirst {
		return err
	}
	return t.control(ctx)
}

// dataAccepted waits for the answer to the data. A printer without paper takes its time
// to take the last of it: as long as bytes are on their way the call lasts as long as it
// may; then the daemon has its answer time.
func (t *transfer) dataAccepted(ctx context.Context, stalled func()) error {
	const what, slice = "the end of the data", time.Second
	end := deadline.Limit(ctx, endless)
	answerBy := time.Now().Add(t.AnswerTimeout)
	for {
		err := t.accepted(ctx, what, min(slice, time.Until(end), t.AnswerTimeout))
		if !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil || !time.Now().Before(end) {
			return err
		}
		stalled()
		switch left, failed := netport.Unacknowledged(t.conn); {
		case failed != nil:
			return t.TailLost(t.stream.Sent, failed)
		case t.Gone(t.conn):
			return t.Silent(t.stream.Sent)
		case left > 0:
			answerBy = time.Now().Add(t.AnswerTimeout)
		case time.Now().After(answerBy):
			return err
		}
	}
}

// endless is longer than any call lasts.
const endless = 24 * time.Hour

// Condition words a printer without paper.
func (t *transfer) Condition() spool.PortStatus {
	return ports.TakesNothing("queue " + t.Queue + " at " + t.Address() + " does not take data; check the printer for paper and errors")
}

// Release closes the connection after a job that was accepted. What the daemon still says
// is read, because closing with unread bytes resets the connection.
func (t *transfer) Release() {
	netport.Complete(t.conn)
	_ = t.conn.CloseWrite()
	_ = t.conn.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.CopyN(io.Discard, t.conn, 4<<10)
	_ = t.conn.Close()
}

// Drop resets the connection: a daemon does not print a job whose files it did not get
// whole.
func (t *transfer) Drop() {
	netport.Incomplete(t.conn)
	_ = t.conn.Close()
}
