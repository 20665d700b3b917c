package client

import (
	"context"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
)

// Delete ends a connection: its printer, its events, and the files that no other connection
// needs. The server need not be there. One that has jobs is refused.
func (c *Client) Delete(ctx context.Context, name Name, w Watcher) ([]Step, error) {
	t := newTrace(w)
	unlock, err := c.lock(ctx, name.fold())
	if err != nil {
		return nil, err
	}
	defer unlock()
	con, err := c.Get(name)
	if err != nil {
		return nil, err
	}
	if con.State == Connected {
		if err := c.cfg.Printers.Disconnect(ctx, con.Name.String()); err != nil {
			return nil, err
		}
	}
	t.add(0, outcome(nil), "DeletePrinterConnection(%s)", quoted(con.Name.String()))
	con.State = Deleting
	if err := c.save(ctx, &con); err != nil {
		return nil, err
	}
	err = c.dismantle(context.WithoutCancel(ctx), &con, t)
	return t.all(), err
}

// dismantle does what follows a deletion. Modules see the printer as it was.
func (c *Client) dismantle(ctx context.Context, con *Connection, t *trace) error {
	c.tellDriver(ctx, con, 0, driver.DeleteConnection, t)
	for _, part := range con.Components {
		if part.Refused == "" {
			c.tellModule(ctx, con, part, 0, pointprint.DeletePrinterConnection, t)
		}
	}
	removed, err := c.letGo(con.Name, nil)
	for _, f := range removed {
		t.add(0, outcome(nil), "DeleteFile(%s)", quoted(f.path(c.cfg.Tree.Dir())))
	}
	if err != nil {
		c.cfg.Logger.Warn("a file that no connection needs is left", "error", err)
	}
	c.tellDriver(ctx, con, 0, driver.CacheDelete, t)
	if err := c.forget(ctx, con.Name); err != nil {
		return err
	}
	c.event(eventlog.ConnectionDeleted, eventlog.Info, con.Name, "deleted; %d files were removed with it", len(removed))
	return nil
}
