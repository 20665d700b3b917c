package netport

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/deadline"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Stream is a document on its way over a connection.
type Stream struct {
	Remote
	Conn *net.TCPConn
	// Size is the document's length, Sent what the connection has taken of it.
	Size, Sent int64
	// Patience is how long one Write waits before it says that nothing moves.
	Patience time.Duration
}

// longDocument is one that this machine and the printer may not be able to hold for each
// other: its last byte waits until the printer has the others.
const longDocument = 128 << 10

// Write hands bytes to the connection: as many as it takes within the patience. Its
// errors are worded, but for ctx's own and os.ErrDeadlineExceeded, which says that the
// printer takes nothing.
//
// The last byte of a long document goes only when the printer has acknowledged all
// before it. A printer that runs out of paper at the very end is so still within Write,
// which may say "not ready" for hours, and not within EndDoc, which may not.
func (s *Stream) Write(ctx context.Context, p []byte) (int, error) {
	last := len(p) > 0 && s.Size > longDocument && s.Sent+int64(len(p)) >= s.Size
	most := p
	if last {
		most = p[:len(p)-1]
	}
	n, err := s.write(ctx, most)
	if !last || n < len(most) || err != nil {
		return n, err
	}
	if err := s.drained(ctx); err != nil {
		return s.verdict(ctx, n, len(p), err)
	}
	end, err := s.write(ctx, p[n:])
	return s.verdict(ctx, n+end, len(p), err)
}

// WriteDocument is Write with the bytes that r holds.
func (s *Stream) WriteDocument(ctx context.Context, r *spool.DocumentReader) (int64, error) {
	last := s.Size > longDocument && s.Sent+r.Len() >= s.Size
	most := r
	if last {
		most = r.Next(r.Len() - 1)
	}
	n, err := deadline.Copy(ctx, s.Conn, most, s.Patience)
	s.Sent += n
	if _, err = s.verdict(ctx, int(n), int(n+most.Len()), err); !last || most.Len() > 0 || err != nil {
		return n, err
	}
	r.Skip(n)
	var end [1]byte
	if _, err := r.Read(end[:]); err != nil {
		return n, err
	}
	one, err := s.Write(ctx, end[:])
	return n + int64(one), err
}

func (s *Stream) write(ctx context.Context, p []byte) (int, error) {
	n, err := deadline.Write(ctx, s.Conn, p, s.Patience)
	s.Sent += int64(n)
	return s.verdict(ctx, n, len(p), err)
}

// verdict words an error, unless it is one that the port words.
func (s *Stream) verdict(ctx context.Context, n, want int, err error) (int, error) {
	n, err = deadline.Verdict(ctx, n, want, err)
	switch {
	case err == nil || errors.Is(err, ctx.Err()):
		return n, err
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return n, s.Lost(s.Sent, err)
	case s.Gone(s.Conn):
		return n, s.Silent(s.Sent)
	}
	return n, err
}

// drained waits until the printer has acknowledged every byte.
func (s *Stream) drained(ctx context.Context) error {
	end := deadline.Limit(ctx, s.Patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		left, err := Unacknowledged(s.Conn)
		if left == 0 || err != nil {
			return err
		}
		if !time.Now().Before(end) {
			return os.ErrDeadlineExceeded
		}
		if err := Sleep(ctx, min(pause, time.Until(end))); err != nil {
			return err
		}
	}
}

// Sleep waits, unless ctx ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Incomplete has the kernel reset a connection whose process dies with a document in it,
// instead of sending what it has buffered: the printer could take that for the end of the
// document, or get it when another process prints already. Complete undoes it.
func Incomplete(conn *net.TCPConn) { _ = conn.SetLinger(0) }

// Complete has the kernel deliver what it has, and end the connection in order.
func Complete(conn *net.TCPConn) { _ = conn.SetLinger(-1) }
