package tcpmon

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/backchannel"
	"github.com/spoolhost/spoolhost/plugins/internal/deadline"
	"github.com/spoolhost/spoolhost/plugins/internal/netport"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// link is the connection for one document.
type link struct {
	netport.Stream
	closeTimeout time.Duration
	log          *slog.Logger
	back         *backchannel.Backchannel
}

func connect(ctx context.Context, s settings, size int64, log *slog.Logger) (*link, error) {
	conn, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	netport.Incomplete(conn)
	l := &link{
		Stream:       netport.Stream{Remote: s.Remote, Conn: conn, Size: size, Patience: s.writeTimeout},
		closeTimeout: s.closeTimeout, log: log, back: backchannel.New(),
	}
	go l.back.Run(conn)
	return l, nil
}

// Finish tells the printer that the document is over and waits for its answer. A
// printer that has every byte but keeps the connection open has the document too.
func (l *link) Finish(ctx context.Context, stalled func()) error {
	open, left, err := l.answer(ctx, stalled)
	switch {
	case err != nil && ctx.Err() != nil:
		return spoolerr.Wrap(ctx.Err(), "waiting for %s to take the end of the document was given up", l.Address())
	case errors.As(err, new(*spoolerr.Error)):
		return err
	case err != nil:
		return l.TailLost(l.Sent, err)
	case left > 0:
		return l.TailStuck(l.Sent, left)
	case open:
		l.log.Warn("the printer has the document but did not close the connection; it counts as sent",
			"address", l.Address(), "waited", l.closeTimeout)
	}
	return nil
}

// answer waits for the printer to take every byte, and then, within the close time-out,
// to close: left is what it did not take, open that it did not close. With a close
// time-out of 0 it waits for nothing.
func (l *link) answer(ctx context.Context, stalled func()) (open bool, left int, err error) {
	if err := l.Conn.CloseWrite(); err != nil || l.closeTimeout == 0 {
		return false, 0, err
	}
	if left, err = l.settle(ctx, stalled); left > 0 || err != nil {
		return false, left, err
	}
	timer := time.NewTimer(time.Until(deadline.Limit(ctx, l.closeTimeout)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, 0, ctx.Err()
	case <-l.back.Done:
		return false, 0, l.back.Err
	case <-timer.C:
		return true, 0, nil
	}
}

// Condition words a printer without paper.
func (l *link) Condition() spool.PortStatus {
	return ports.TakesNothing("printer at " + l.Address() + " does not take data; check it for paper and errors")
}

// settle waits until the printer has acknowledged every byte. A printer that is out of
// paper acknowledges nothing, and what waits in this machine's buffers would be lost
// with the connection: only an empty queue is a delivered document. EndDoc cannot be
// called again, so it lasts as long as it may; only a printer that is gone ends it.
func (l *link) settle(ctx context.Context, stalled func()) (left int, err error) {
	const endless = 24 * time.Hour
	end := deadline.Limit(ctx, endless)
	closed := l.back.Done
	for pause := time.Millisecond; ; pause = min(2*pause, 64*time.Millisecond) {
		left, err = l.waiting()
		if err == nil && left > 0 && l.Gone(l.Conn) {
			err = l.Silent(l.Sent)
		}
		if left == 0 || err != nil || !time.Now().Before(end) {
			return left, err
		}
		if pause == 64*time.Millisecond { // long enough to be no mere delayed acknowledgement
			stalled()
		}
		timer := time.NewTimer(min(pause, time.Until(end)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return left, ctx.Err()
		case <-closed: // which mostly means that all has arrived
			timer.Stop()
			closed = nil
		case <-timer.C:
		}
	}
}

// waiting counts the bytes that the printer has not acknowledged, or gives the error
// that broke the connection. The back channel's reader may have got it first.
func (l *link) waiting() (int, error) {
	select {
	case <-l.back.Done:
		if l.back.Err != nil {
			return 0, l.back.Err
		}
	default:
	}
	n, err := netport.Unacknowledged(l.Conn)
	return max(0, n-1), err // the closed writing end takes a place
}

// Release closes the connection after a document that was finished.
func (l *link) Release() {
	netport.Complete(l.Conn)
	l.end()
}

func (l *link) end() {
	_ = l.Conn.Close()
	<-l.back.Done
}

// Drop resets the connection, so that the printer knows the document is incomplete and
// this machine does not go on to send what it has buffered.
func (l *link) Drop() {
	netport.Incomplete(l.Conn)
	l.end()
}
