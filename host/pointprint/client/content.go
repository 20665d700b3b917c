package client

import (
	"bytes"
	"io"

	"github.com/spoolhost/spoolhost/host/pointprint/digest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// content reads a file of a connection and makes sure that it is what came.
func (c *Client) content(f File) (*bytes.Reader, error) {
	dir, err := c.cfg.Tree.Open(f.Dir, false)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "file %s", spool.Quote(f.Name))
	}
	defer func() { _ = dir.Close() }()
	file, err := dir.Open(f.Name)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "file %s", spool.Quote(f.Name))
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, f.Size+1))
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "file %s", spool.Quote(f.Name))
	}
	if digest.Of(data) != f.Digest {
		return nil, spoolerr.New(spoolerr.Corrupt, 0, "file %s is not what the server sent: somebody has changed it; bring it back with spoolhost connection refresh", spool.Quote(f.Name))
	}
	return bytes.NewReader(data), nil
}
