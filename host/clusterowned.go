package host

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/store"
)

// ownedSpooler is a cluster spooler that is open here, or that is got ready for that.
type ownedSpooler struct {
	*spooler.Spooler
	by    *clusterSpoolers
	store *store.Late
	// settings tells whether anything has changed since they were read ahead.
	settings *store.Watcher
	queue    *job.Queue
	docs     *document.Store
	share    *share.Share
}

var _ cluster.Instance = (*ownedSpooler)(nil)

// load reads a spooler. It writes nothing, so that any node may do it.
func (c *clusterSpoolers) load(ctx context.Context, name string) (_ *ownedSpooler, retErr error) {
	o := &ownedSpooler{by: c, store: store.NewLate(c.by.Store), settings: c.by.Store.Watch(registry.Prefix(name))}
	defer func() {
		if retErr != nil {
			_ = o.Close()
		}
	}()
	var err error
	if o.docs, err = c.openDocuments(name); err != nil {
		return nil, err
	}
	if o.share, err = share.Open(filepath.Join(c.directory(name), "print$"), share.Prefix(name), o.store, c.host.cfg.Now); err != nil {
		return nil, err
	}
	o.queue = job.NewOwner(o.store, name, c.host.cfg.Now)
	cfg := c.config(name, o.store, o.queue, o.docs)
	cfg.NewLoader, cfg.Share = c.host.newLoader, o.share
	o.Spooler, err = spooler.Load(ctx, cfg)
	return o, err
}

// prepare gets a spooler ready that this node is likely to own soon.
func (c *clusterSpoolers) prepare(ctx context.Context, s cluster.Spooler) (cluster.Ahead, error) {
	o, err := c.load(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	o.GetReady()
	return o, nil
}

// open makes the instance of a spooler that this node owns.
func (c *clusterSpoolers) open(ctx context.Context, by cluster.Ownership) (_ cluster.Instance, err error) {
	o := c.current(ctx, by)
	if o == nil {
		if o, err = c.load(ctx, by.Spooler.Name); err != nil {
			return nil, err
		}
	}
	if err := o.own(ctx, by); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owned[o] = true
	return o, nil
}

// current gives what was got ready, if it is as the owner before has left it.
func (c *clusterSpoolers) current(ctx context.Context, by cluster.Ownership) *ownedSpooler {
	o, _ := by.Ahead.(*ownedSpooler)
	if o == nil {
		return nil
	}
	const patience = time.Second // reading it anew takes less
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// This node's claim was the last commit: what the owner before has written came earlier,
	// and can come no more.
	if err := store.Told(ctx, c.by.Store); err == nil && !o.settings.Pending() {
		return o
	}
	c.host.cfg.Logger.Info("a cluster spooler was got ready in vain: its settings have changed since", "spooler", by.Spooler.Name)
	c.work.Go(o.Discard)
	return nil
}

// own takes the spooler over: from now on it may be written.
func (o *ownedSpooler) own(ctx context.Context, by cluster.Ownership) error {
	o.settings.Close()
	o.store.Bind(by.Store)
	damaged, err := o.queue.Own(ctx, by.Epoch)
	if err != nil {
		return err
	}
	for _, p := range damaged {
		o.by.host.corrupt(p.Key, p.Err)
	}
	return o.Settle(ctx)
}

// Discard implements cluster.Ahead.
func (o *ownedSpooler) Discard() {
	if err := o.Close(); err != nil {
		o.by.host.cfg.Logger.Warn("a cluster spooler that was got ready was not given back whole", "spooler", o.Name(), "error", err)
	}
}

// Close implements cluster.Instance.
func (o *ownedSpooler) Close() error {
	o.disown()
	o.settings.Close()
	var errs []error
	if o.Spooler != nil {
		o.Spooler.Discard()
	}
	if o.queue != nil {
		o.queue.Close()
	}
	if o.share != nil {
		errs = append(errs, o.share.Close())
	}
	if o.docs != nil {
		errs = append(errs, o.docs.Close())
	}
	return errors.Join(errs...)
}
