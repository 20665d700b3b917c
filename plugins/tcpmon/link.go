package tcpmon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/deadline"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// link is the connection for one document.
type link struct {
	settings settings
	log      *slog.Logger
	conn     *net.TCPConn
	back     *backchannel
	sent     int64
}

// connect tries every address of the host, within the connect time-out.
func connect(ctx context.Context, s settings, log *slog.Logger) (*link, error) {
	dialer := net.Dialer{
		Deadline: deadline.Limit(ctx, s.connectTimeout),
		Control:  limitUnsent,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: s.keepAlive > 0, Idle: s.keepAlive, Interval: s.keepAlive, Count: 4,
		},
	}
	if s.keepAlive == 0 {
		dialer.KeepAlive = -1
	}
	conn, err := dialer.DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, err
	}
	l := &link{settings: s, log: log, conn: conn.(*net.TCPConn), back: newBackchannel()}
	go l.back.run(l.conn)
	return l, nil
}

// Write hands bytes to the connection: as many as it takes within the write time-out.
func (l *link) Write(ctx context.Context, p []byte) (int, error) {
	n, err := deadline.Write(ctx, l.conn, p, l.settings.writeTimeout)
	l.sent += int64(n)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ctx.Err()) {
		return n, err
	}
	return n, lost(l.settings.address(), l.sent, err)
}

// Finish tells the printer that the document is over and waits for its answer. A
// printer that has every byte but keeps the connection open has the document too.
func (l *link) Finish(ctx context.Context, stalled func()) error {
	address := l.settings.address()
	open, left, err := l.answer(ctx, stalled)
	switch {
	case err != nil && ctx.Err() != nil:
		return spoolerr.Wrap(ctx.Err(), "waiting for %s to take the end of the document was given up", address)
	case err != nil:
		return tailLost(address, l.sent, err)
	case left > 0:
		return tailStuck(address, l.sent, left)
	case open:
		l.log.Warn("the printer has the document but did not close the connection; it counts as sent",
			"address", address, "waited", l.settings.closeTimeout)
	}
	return nil
}

// answer waits for the printer to close, within the close time-out, and then for it to
// take every byte: left is what it did not take, open that it did not close. With a
// close time-out of 0 it waits for nothing.
func (l *link) answer(ctx context.Context, stalled func()) (open bool, left int, err error) {
	timeout := l.settings.closeTimeout
	if err := l.conn.CloseWrite(); err != nil || timeout == 0 {
		return false, 0, err
	}
	timer := time.NewTimer(time.Until(deadline.Limit(ctx, timeout)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, 0, ctx.Err()
	case <-l.back.done:
	case <-timer.C:
		open = true
	}
	left, err = l.settle(ctx, max(timeout, leastSettle), stalled)
	return open, left, err
}

// Condition words a printer without paper.
func (l *link) Condition() string {
	return "printer at " + l.settings.address() + " does not take data; check it for paper and errors"
}

// leastSettle is far above a delayed acknowledgement, whatever the close time-out is.
const leastSettle = time.Second

// settle waits until the printer has acknowledged every byte. A printer that is out of
// paper acknowledges nothing, and what waits in this machine's buffers would be lost
// with the connection: only an empty queue is a delivered document. It gives up after
// patience, or when the call has to return.
func (l *link) settle(ctx context.Context, patience time.Duration, stalled func()) (left int, err error) {
	end := deadline.Limit(ctx, patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if left, err = l.waiting(); left == 0 || err != nil || !time.Now().Before(end) {
			return left, err
		}
		if pause == 32*time.Millisecond { // long enough to be no mere delayed acknowledgement
			stalled()
		}
		tick := time.NewTimer(min(pause, time.Until(end)))
		select {
		case <-ctx.Done():
			tick.Stop()
			return left, ctx.Err()
		case <-tick.C:
		}
	}
}

// waiting counts the bytes that the printer has not acknowledged, or gives the error
// that broke the connection. The back channel's reader may have got it first.
func (l *link) waiting() (int, error) {
	select {
	case <-l.back.done:
		if l.back.err != nil {
			return 0, l.back.err
		}
	default:
	}
	return unacknowledged(l.conn)
}

// Release closes the connection after a document that was finished.
func (l *link) Release() {
	_ = l.conn.Close()
	<-l.back.done
}

// Drop resets the connection, so that the printer knows the document is incomplete and
// this machine does not go on to send what it has buffered.
func (l *link) Drop() {
	_ = l.conn.SetLinger(0)
	l.Release()
}
