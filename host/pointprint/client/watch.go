package client

import (
	"context"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Refresh performs the steps that follow a change, whether there is one or not. What is here
// already is read and checked, and not copied again.
func (c *Client) Refresh(ctx context.Context, name Name, addresses []string, w Watcher) (_ Connection, _ []Step, err error) {
	t := newTrace(w)
	unlock, err := c.lock(ctx, name.fold())
	if err != nil {
		return Connection{}, nil, err
	}
	defer unlock()
	before, err := c.Get(name)
	if err != nil {
		return Connection{}, nil, err
	}
	if len(addresses) > 0 {
		before.Addresses = addresses
	}
	con, err := c.refresh(ctx, before, t, true)
	return con, t.all(), err
}

// refresh brings a connection up to date; its lock is held. One that was cut off while it
// was made performs all the steps. asked says that somebody has asked for it.
func (c *Client) refresh(ctx context.Context, before Connection, t *trace, asked bool) (Connection, error) {
	if err := c.cfg.Policy.allowed(before.Name.Server); err != nil {
		return before, c.troubled(ctx, before, err)
	}
	con, old := before, &before
	steps := (*session).refresh
	if before.State == Connecting {
		old, steps = nil, (*session).connect
	}
	s := c.session(&con, old, t)
	s.remote.meets = asked
	defer func() { _ = s.remote.Close() }()
	if err := steps(s, ctx); err != nil {
		return before, c.troubled(ctx, before, spoolerr.Wrap(err, "connection %s was not brought up to date", before.Name))
	}
	if s.changed || con.ChangeID != before.ChangeID {
		c.event(eventlog.ConnectionRefreshed, eventlog.Info, con.Name, "brought up to date, ChangeID %d", con.ChangeID)
	}
	return *s.con, nil
}

// noteTrouble is troubled for one who does not have the connection's lock.
func (c *Client) noteTrouble(ctx context.Context, name Name, cause error) error {
	unlock, err := c.lock(ctx, name.fold())
	if err != nil {
		return cause
	}
	defer unlock()
	if con, err := c.Get(name); err == nil && con.State == Connected {
		return c.troubled(ctx, con, cause)
	}
	return cause
}

// troubled notes why a connection is not up to date, once; its lock is held.
func (c *Client) troubled(ctx context.Context, con Connection, err error) error {
	if ctx.Err() == nil && con.Trouble != err.Error() {
		c.event(eventlog.ConnectionFailed, eventlog.Warning, con.Name, "%s", err)
		con.Trouble = err.Error()
		if saveErr := c.save(ctx, &con); saveErr != nil {
			c.cfg.Logger.Error("the record of a connection", "connection", con.Name.String(), "error", saveErr)
		}
	}
	return err
}

// watchSoon has Run look for connections that it does not watch yet.
func (c *Client) watchSoon() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run keeps the connections up to date until ctx ends: each is watched at its server, and
// asked for its ChangeID where that does not work. What an earlier life left unfinished is
// finished first.
func (c *Client) Run(ctx context.Context) error {
	if err := c.cfg.Tree.Sweep(7*24*time.Hour, c.cfg.Now()); err != nil {
		c.cfg.Logger.Warn("looking for unfinished downloads", "error", err)
	}
	if err := c.recall(ctx); err != nil {
		c.cfg.Logger.Error("looking for jobs that were forwarded", "error", err)
	}
	var watchers sync.WaitGroup
	defer watchers.Wait()
	watched := make(map[string]bool)
	gone := make(chan string)
	for {
		for _, con := range c.List() {
			if key := con.Name.fold(); !watched[key] {
				watched[key] = true
				watchers.Go(func() {
					c.attend(ctx, con.Name)
					select {
					case gone <- key:
					case <-ctx.Done():
					}
				})
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case key := <-gone:
			delete(watched, key)
		case <-c.wake:
		}
	}
}

// attend looks after one connection and the jobs that it has sent away, until it is deleted.
func (c *Client) attend(ctx context.Context, name Name) {
	ctx, end := context.WithCancel(ctx)
	c.mu.Lock()
	c.ends[name.fold()] = end
	c.mu.Unlock()
	var jobs sync.WaitGroup
	jobs.Go(func() { c.follow(ctx, name) })
	c.keep(ctx, name)
	end()
	jobs.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ends, name.fold())
}

// keep looks after one connection until it is deleted.
func (c *Client) keep(ctx context.Context, name Name) {
	pause := backoff{first: time.Second, most: c.cfg.Poll}
	for ctx.Err() == nil {
		con, err := c.Get(name)
		if err != nil {
			return
		}
		began := c.cfg.Now()
		switch con.State {
		case Deleting:
			err = c.resumeDeletion(ctx, name)
		case Connecting:
			err = c.bring(ctx, name, 0)
		default:
			err = c.watch(ctx, con)
		}
		if err == nil || c.cfg.Now().Sub(began) > c.cfg.Poll {
			pause.last = 0
		}
		if pause.wait(ctx) != nil {
			return
		}
	}
}

func (c *Client) resumeDeletion(ctx context.Context, name Name) error {
	unlock, err := c.lock(ctx, name.fold())
	if err != nil {
		return err
	}
	defer unlock()
	con, err := c.Get(name)
	if err != nil || con.State != Deleting {
		return nil
	}
	return c.dismantle(ctx, &con, newTrace(nil))
}

// bring refreshes a connection if the server's ChangeID is not the one that is known; 0 is
// any.
func (c *Client) bring(ctx context.Context, name Name, id uint32) error {
	unlock, err := c.lock(ctx, name.fold())
	if err != nil {
		return err
	}
	defer unlock()
	con, err := c.Get(name)
	if err != nil || con.State == Deleting || id != 0 && con.ChangeID == id && con.Trouble == "" {
		return nil
	}
	_, err = c.refresh(ctx, con, newTrace(nil), con.State == Connecting)
	return err
}

// watch follows a printer's ChangeID until the server cannot be reached or says no more.
func (c *Client) watch(ctx context.Context, con Connection) error {
	if err := c.cfg.Policy.allowed(con.Name.Server); err != nil {
		return c.noteTrouble(ctx, con.Name, err)
	}
	r := c.remote(&con)
	defer func() { _ = r.Close() }()
	// A server that has gone without a word is noticed within a poll.
	ctx, cancel := context.WithTimeout(ctx, max(c.cfg.Poll, time.Second))
	defer cancel()
	known := con.ChangeID
	if con.Trouble != "" {
		known = 0 // so that the answer comes at once
	}
	err := r.try(ctx, func(ctx context.Context, l *link) error {
		stream, err := l.data.WatchPrinter(ctx, &apiv1.WatchPrinterRequest{Spooler: r.to(), Printer: con.Name.Printer, ChangeId: known})
		if err != nil {
			return err
		}
		for {
			m, err := stream.Recv()
			if err != nil {
				return err
			}
			if err := c.bring(ctx, con.Name, m.GetChangeId()); err != nil {
				return spoolerr.New(spoolerr.Precondition, 0, "%s", err)
			}
		}
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case spoolerr.KindOf(err) == spoolerr.Unsupported:
		return c.poll(ctx, con, r)
	case passing(err):
		return c.noteTrouble(ctx, con.Name, err)
	}
	return err
}

// poll asks for the ChangeID once.
func (c *Client) poll(ctx context.Context, con Connection, r *remote) error {
	var id uint32
	err := r.do(ctx, func(ctx context.Context, l *link) error {
		a, err := l.data.EnumPrinterKey(ctx, &apiv1.EnumPrinterKeyRequest{Spooler: r.to(), Printer: con.Name.Printer})
		id = a.GetChangeId()
		return err
	})
	if err != nil {
		return c.noteTrouble(ctx, con.Name, err)
	}
	if err := c.bring(ctx, con.Name, id); err != nil {
		return err
	}
	<-ctx.Done() // until the next round
	return nil
}
