package target

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/OpenPrinting/goipp"
)

// wire is one kept connection of HTTP/1.1 with one request at a time. The load generator
// shares its machine with the server: net/http's client, with two goroutines for each
// connection, takes twice as much of it.
type wire struct {
	addr string

	mu   sync.Mutex
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	used time.Time
}

// fresh is how long a connection without a request is trusted to be open still.
const fresh = 2 * time.Second

// post sends a request with a body of head and then size bytes of doc, which may be nil, and
// gives the answer's body, cut where it exceeds most bytes.
func (c *wire) post(ctx context.Context, path string, head []byte, doc io.Reader, size, most int64) (status int, body []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.connect(ctx); err != nil {
		return 0, nil, err
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	resp, err := c.exchange(path, head, doc, size)
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(resp.Body, most))
		_ = resp.Body.Close()
	}
	c.used = time.Now()
	if err != nil || resp.Close || int64(len(body)) == most || ctx.Err() != nil {
		c.hangUp()
	}
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return 0, nil, err
	}
	return resp.StatusCode, body, nil
}

func (c *wire) exchange(path string, head []byte, doc io.Reader, size int64) (*http.Response, error) {
	fmt.Fprintf(c.w, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: spoolhost-bench\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		path, c.addr, goipp.ContentType, int64(len(head))+size)
	_, err := c.w.Write(head)
	if err == nil && size > 0 {
		_, err = io.CopyN(c.w, doc, size)
	}
	if err == nil {
		err = c.w.Flush()
	}
	if err != nil {
		// A server that refuses a document answers before it has read all of it.
		_ = c.conn.SetReadDeadline(time.Now().Add(fresh))
	}
	for {
		resp, readErr := http.ReadResponse(c.r, nil)
		switch {
		case readErr != nil && err != nil:
			return nil, err
		case readErr != nil:
			return nil, readErr
		case resp.StatusCode >= http.StatusOK:
			resp.Close = resp.Close || err != nil
			return resp, nil
		}
	}
}

func (c *wire) connect(ctx context.Context) error {
	if c.conn != nil && time.Since(c.used) < fresh {
		return nil
	}
	c.hangUp()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	c.conn = conn
	c.r = bufio.NewReaderSize(conn, 4<<10)
	c.w = bufio.NewWriterSize(struct{ io.Writer }{conn}, 64<<10)
	return nil
}

func (c *wire) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// Close ends the connection.
func (c *wire) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangUp()
	return nil
}
