package client

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/job"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Forwards gives what the documents of a job have become on other hosts, as it was last
// heard of.
func (c *Client) Forwards(j *job.Job) []job.Forward {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Clone(j.Forwarded)
	for i, f := range list {
		if k := slices.IndexFunc(c.away[j.ID], same(f)); k >= 0 {
			list[i] = c.away[j.ID][k]
		}
	}
	return list
}

// same finds what is known of the same document.
func same(f job.Forward) func(job.Forward) bool {
	return func(o job.Forward) bool { return o.Printer == f.Printer && o.Key == f.Key }
}

// Away gives the ids of jobs that have gone to other hosts and have not ended there.
func (c *Client) Away() []uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]uint64, 0, len(c.away))
	for id := range c.away {
		ids = append(ids, id)
	}
	return ids
}

// note remembers how a document stands, and wakes those who ask the servers.
func (c *Client) note(id uint64, f job.Forward) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(c.away[id]), same(f))
	if !f.Over {
		list = append(list, f)
	}
	if c.away[id] = list; len(list) == 0 {
		delete(c.away, id)
	}
	close(c.moved)
	c.moved = make(chan struct{})
}

// recall finds the jobs that an earlier life of this host has sent away.
func (c *Client) recall(ctx context.Context) error {
	jobs, err := c.cfg.Jobs.Away(ctx)
	for _, j := range jobs {
		for _, f := range j.Forwarded {
			if !f.Over {
				c.note(j.ID, f)
			}
		}
	}
	return err
}

// sent is a document on another host, and its job here.
type sent struct {
	id uint64
	job.Forward
}

// sentTo gives the documents that are at one printer, oldest jobs first.
func (c *Client) sentTo(n Name) (list []sent, moved <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, forwards := range c.away {
		for _, f := range forwards {
			if f.Printer == n.String() {
				list = append(list, sent{id, f})
			}
		}
	}
	slices.SortFunc(list, func(a, b sent) int { return cmp.Compare(a.id, b.id) })
	return list, c.moved
}

// The pauses between two rounds of questions to a server.
const (
	askSoonest = time.Second
	askLatest  = 15 * time.Second
)

// follow asks the server of a connection how the jobs stand that it got from here, until
// the connection is deleted.
func (c *Client) follow(ctx context.Context, name Name) {
	pause := backoff{first: askSoonest, most: askLatest}
	for {
		list, moved := c.sentTo(name)
		con, err := c.Get(name)
		switch {
		case err != nil:
			c.abandon(context.WithoutCancel(ctx), list)
			return
		case len(list) == 0:
			pause.last = 0
			select {
			case <-moved:
			case <-ctx.Done():
			}
		case c.inquire(ctx, &con, list):
			pause.last = 0
			fallthrough
		default:
			_ = pause.wait(ctx)
		}
		if ctx.Err() != nil && c.has(name) {
			return
		}
	}
}

func (c *Client) has(name Name) bool {
	_, err := c.Get(name)
	return err == nil
}

// inquire asks for each document, and says whether one has got on.
func (c *Client) inquire(ctx context.Context, con *Connection, list []sent) (moved bool) {
	r := c.remote(con)
	defer func() { _ = r.Close() }()
	for _, s := range list {
		next, err := c.look(ctx, r, s)
		if passing(err) {
			return moved // the others have no better luck
		}
		if err != nil && (next.Problem == "" || next.Problem != s.Problem) {
			c.cfg.Logger.Warn("how a forwarded job stands", "job", s.id, "server", con.Name.Server, "error", err)
		}
		moved = moved || next != s.Forward
	}
	return moved
}

// look learns how one document stands, and does there what is still to be done.
func (c *Client) look(ctx context.Context, r *remote, s sent) (next job.Forward, err error) {
	unlock, err := c.lock(ctx, "sent "+s.Key)
	if err != nil {
		return s.Forward, err
	}
	defer unlock()
	if s.Forward = c.latest(s); s.Over {
		return s.Forward, nil
	}
	next = s.Forward
	switch {
	case s.ID == 0:
		err = c.unanswered(ctx, r, s.id, &next)
	case s.Cancel:
		err = cancelThere(ctx, r, &next)
	default:
		err = stateThere(ctx, r, &next)
	}
	if next.Problem = refused(&next, err); err != nil && next.Problem == "" || next == s.Forward {
		return next, err
	}
	next, settled := c.settle(ctx, s, func(f *job.Forward) {
		asked := f.Cancel && !s.Cancel // meanwhile
		*f = next
		f.Cancel = f.Cancel || asked
	})
	return next, cmp.Or(err, settled)
}

// refused says what a server does not let this host do; empty if err is no refusal. That is
// not the end of the document: it prints there, and whoever may can change the server's mind.
func refused(f *job.Forward, err error) string {
	if spoolerr.KindOf(err) != spoolerr.Denied {
		return ""
	}
	if errors.Is(err, CodeIdentity) {
		return text("the server is not asked: " + err.Error())
	}
	what := "say how it stands"
	if f.Cancel {
		what = "cancel it"
	}
	return text("the server does not let this host " + what + ", and is asked again; an operator of the server can, and so can this host once the server runs this version of spoolhost: " + err.Error())
}

// settle changes how a document stands, as it stands now, and records that durably.
func (c *Client) settle(ctx context.Context, s sent, change func(f *job.Forward)) (job.Forward, error) {
	unlock, err := c.lock(ctx, "record "+s.Key)
	if err != nil {
		return s.Forward, err
	}
	defer unlock()
	now := c.latest(s)
	if now.Over {
		return now, nil
	}
	next := now
	if change(&next); next.Over || next.ID != now.ID || next.Cancel != now.Cancel {
		err = c.cfg.Jobs.Stands(ctx, s.id, next)
	}
	if spoolerr.KindOf(err) == spoolerr.NotFound {
		next.Over, err = true, nil // its record here has expired
	}
	if err == nil {
		c.note(s.id, next)
	}
	return next, err
}

// latest is how the document stands now that nobody else looks at it.
func (c *Client) latest(s sent) job.Forward {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.away[s.id], same(s.Forward)); i >= 0 {
		return c.away[s.id][i]
	}
	s.Over = true
	return s.Forward
}

// unanswered looks after a document of which nobody knows whether the server has it. As long
// as its job is not finished here it is sent again, and the answer will tell; then what the
// server may have of it is cancelled.
func (c *Client) unanswered(ctx context.Context, r *remote, id uint64, f *job.Forward) error {
	j, err := c.cfg.Jobs.Job(ctx, id)
	if err != nil || !j.State.Final() {
		return err
	}
	if j.State == job.Printed {
		f.Over = true // another document of it was sent later
		return nil
	}
	return cancelThere(ctx, r, f)
}

// cancelThere cancels a document on its server. One that is not there needs it no more.
func cancelThere(ctx context.Context, r *remote, f *job.Forward) error {
	err := r.do(ctx, func(ctx context.Context, l *link) error {
		a, err := l.jobs.CancelJob(ctx, &apiv1.CancelJobRequest{Spooler: r.to(), Id: f.ID, IdempotencyKey: f.Key})
		if err == nil {
			f.ID = a.GetJob().GetId()
			stands(f, a.GetJob())
		}
		return err
	})
	switch {
	case err == nil:
		f.Cancel = false
	case passing(err), spoolerr.KindOf(err) == spoolerr.Denied:
		return err
	case f.ID == 0:
		f.Over = spoolerr.KindOf(err) == spoolerr.NotFound
	default:
		f.Cancel = false
		return stateThere(ctx, r, f) // it has ended already
	}
	return nil
}

// stateThere asks how a document stands on its server.
func stateThere(ctx context.Context, r *remote, f *job.Forward) error {
	err := r.do(ctx, func(ctx context.Context, l *link) error {
		a, err := l.jobs.GetJob(ctx, &apiv1.GetJobRequest{Spooler: r.to(), Id: f.ID, IdempotencyKey: f.Key})
		if err == nil {
			stands(f, a.GetJob())
		}
		return err
	})
	if spoolerr.KindOf(err) == spoolerr.NotFound {
		f.Over, f.Reason, err = true, "the server says nothing more of it: "+err.Error(), nil
	}
	return err
}

// stands takes over what a server says of a job. What it says is text, and bounded.
func stands(f *job.Forward, there *apiv1.Job) {
	f.State, f.Reason = job.State(there.GetState()), text(there.GetReason())
	f.Over = f.State.Final()
}

// text bounds what a server says. Cut inside a letter it would fail every answer that tells it.
func text(s string) string {
	const most = 512
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// Cancel cancels what a job has become on other hosts. Where a server cannot be reached it
// is told later, also by a later life of this host.
func (c *Client) Cancel(ctx context.Context, j *job.Job) error {
	const patience = 5 * time.Second
	for _, f := range c.Forwards(j) {
		if f.Over {
			continue
		}
		f, err := c.settle(ctx, sent{j.ID, f}, func(f *job.Forward) { f.Cancel = true })
		if err != nil {
			return err
		}
		now, stop := context.WithTimeout(ctx, patience)
		next, err := c.tell(now, sent{j.ID, f})
		stop()
		switch {
		case passing(err):
		case err != nil && next.Problem != "":
			return spoolerr.New(spoolerr.KindOf(err), spoolerr.CodeOf(err), "job %d is job %d of %s: %s", j.ID, next.ID, next.Printer, next.Problem)
		case err != nil:
			return err
		case next.Over && next.State != job.Cancelled:
			return spoolerr.New(spoolerr.Precondition, 0, "job %d is job %d of %s, which was %s there already", j.ID, next.ID, next.Printer, next.State)
		}
	}
	return nil
}

// tell is look for one who has no way to the server yet.
func (c *Client) tell(ctx context.Context, s sent) (job.Forward, error) {
	n, err := ParseName(s.Printer)
	if err != nil {
		return s.Forward, err
	}
	con, err := c.Get(n)
	if err != nil {
		return s.Forward, err
	}
	r := c.remote(&con)
	defer func() { _ = r.Close() }()
	return c.look(ctx, r, s)
}

// abandon gives up the documents at a server whose connection was deleted.
func (c *Client) abandon(ctx context.Context, list []sent) {
	for _, s := range list {
		s.Over, s.Reason = true, "the connection was deleted"
		if err := c.cfg.Jobs.Stands(ctx, s.id, s.Forward); err != nil {
			c.cfg.Logger.Warn("a job of a deleted connection", "job", s.id, "error", err)
		}
		c.note(s.id, s.Forward)
	}
}

// Job asks a server how a job stands that came from here.
func (c *Client) Job(ctx context.Context, to job.Forward) (found *apiv1.Job, err error) {
	n, err := ParseName(to.Printer)
	if err != nil {
		return nil, err
	}
	con, err := c.Get(n)
	if err != nil {
		return nil, err
	}
	r := c.remote(&con)
	defer func() { _ = r.Close() }()
	err = r.do(ctx, func(ctx context.Context, l *link) error {
		a, err := l.jobs.GetJob(ctx, &apiv1.GetJobRequest{Spooler: r.to(), Id: to.ID, IdempotencyKey: to.Key})
		found = a.GetJob()
		return err
	})
	return found, err
}
