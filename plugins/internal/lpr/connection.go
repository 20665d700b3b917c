package lpr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/deadline"
	"github.com/spoolhost/spoolhost/plugins/internal/netport"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The commands of RFC 1179 that are used here.
const (
	cmdReceive = 0x02
	cmdShort   = 0x03
	subControl = 0x02
	subData    = 0x03
)

// connection is a connection to a daemon, with one step at a time.
type connection struct {
	Settings
	conn *net.TCPConn
}

func connect(ctx context.Context, s Settings) (*connection, error) {
	dial := s.Dial
	if s.ReservedPort {
		dial = s.DialReserved
	}
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	return &connection{Settings: s, conn: conn}, nil
}

// step sends a command and waits for the daemon to accept it. what names it for errors.
func (c *connection) step(ctx context.Context, what, command string) error {
	if err := c.send(ctx, []byte(command)); err != nil {
		return c.broken(ctx, what, err)
	}
	return c.accepted(ctx, what, c.AnswerTimeout)
}

// send writes all of p.
func (c *connection) send(ctx context.Context, p []byte) error {
	end := time.Now().Add(c.AnswerTimeout)
	for len(p) > 0 {
		n, err := deadline.Write(ctx, c.conn, p, time.Until(end))
		p = p[n:]
		if err != nil {
			return err
		}
	}
	return nil
}

// accepted waits for the octet of zero bits that says yes.
func (c *connection) accepted(ctx context.Context, what string, patience time.Duration) error {
	var answer [1]byte
	n, err := deadline.Read(ctx, c.conn, answer[:], patience)
	switch {
	case n == 1 && answer[0] == 0:
		return nil
	case n == 1:
		return c.refused(ctx, what, answer[0])
	}
	return c.broken(ctx, what, err)
}

// refused words a daemon's no, with what it says about it: LPRng and others send a text.
func (c *connection) refused(ctx context.Context, what string, code byte) error {
	said := make([]byte, 200)
	n, _ := deadline.Read(ctx, c.conn, said, 200*time.Millisecond)
	text := line(string(said[:n]), len(said), "")
	if code >= ' ' && code <= '~' { // the text begins at once
		text = strings.TrimSpace(string(rune(code)) + text)
	}
	if text != "" {
		text = ": " + text
	}
	return netport.Unavailable(nil, spoolerr.CodeAccessDenied,
		"%s refused %s for queue %s with code %d%s; check that the queue exists and takes jobs, and that this host may print there",
		c.Address(), what, spool.Quote(c.Queue), code, text)
}

// broken words a step that got no answer.
func (c *connection) broken(ctx context.Context, what string, err error) error {
	switch {
	case ctx.Err() != nil:
		return spoolerr.Wrap(ctx.Err(), "waiting for %s to answer %s was given up", c.Address(), what)
	case errors.Is(err, net.ErrClosed):
		return spoolerr.New(spoolerr.BadHandle, 0, "the port was closed during %s to %s; open it again", what, c.Address())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return netport.Unavailable(err, spoolerr.CodeTimeout,
			"%s did not answer %s within %s; check the queue %s there, or give a longer answerTimeout", c.Address(), what, c.AnswerTimeout, spool.Quote(c.Queue))
	case errors.Is(err, io.EOF):
		err = nil
	}
	return netport.Unavailable(err, spoolerr.CodeWriteFault,
		"%s closed the connection at %s; check the queue %s there, and that this host may print", c.Address(), what, spool.Quote(c.Queue))
}

func (c *connection) file(kind byte, size int64, name string) string {
	return fmt.Sprintf("%c%d %s\n", kind, size, name)
}

// QueueState asks the daemon for the short form of its queue: what it says, as it says it,
// at most 4 KiB.
func QueueState(ctx context.Context, s Settings) (string, error) {
	c, err := connect(ctx, s)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.conn.Close() }()
	const what = "the question for the queue's state"
	if err := c.send(ctx, fmt.Appendf(nil, "%c%s\n", cmdShort, s.Queue)); err != nil {
		return "", c.broken(ctx, what, err)
	}
	answer := make([]byte, 4<<10)
	var n int
	for end := time.Now().Add(s.AnswerTimeout); n < len(answer); {
		var got int
		got, err = deadline.Read(ctx, c.conn, answer[n:], time.Until(end))
		n += got
		if err != nil {
			break
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", c.broken(ctx, what, err)
	}
	return lines(string(answer[:n])), nil
}

// lines makes a daemon's text safe to show.
func lines(text string) string {
	var out []string
	for l := range strings.Lines(strings.TrimSpace(text)) {
		out = append(out, line(l, 200, ""))
	}
	return strings.Join(out, "\n")
}
