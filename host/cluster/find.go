package cluster

import (
	"context"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Current gives the cluster as this node knows it, waiting until it has been read once: a
// node that has just started knows of nothing, which is no answer.
func (n *Node) Current(ctx context.Context) (View, error) {
	for {
		v, changed := n.View()
		if v.Members != nil {
			return v, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return v, spoolerr.As(ctx.Err(), spoolerr.Unavailable, "this node has not reached the cluster since it started; try again, or see spoolhost cluster status")
		}
	}
}

// Find gives the record of a spooler. That there is none is the store's word, never that of
// a view which is behind.
func (n *Node) Find(ctx context.Context, name string) (Spooler, error) {
	v, _, err := n.find(ctx, name)
	return v.Spoolers[spool.Fold(name)], err
}

// find gives a view that has the spooler, and a channel that is closed when it changes.
func (n *Node) find(ctx context.Context, name string) (View, <-chan struct{}, error) {
	for {
		v, changed := n.View()
		if _, ok := v.Spoolers[spool.Fold(name)]; ok {
			return v, changed, nil
		}
		err := n.cfg.Store.View(ctx, func(tx store.Tx) error {
			_, err := getSpooler(tx, name)
			return err
		})
		if err != nil {
			return v, nil, err
		}
		select {
		case <-changed: // it is there, and will be seen
		case <-ctx.Done():
			return v, nil, spoolerr.As(ctx.Err(), spoolerr.Unavailable, "this node does not know spooler %s yet; try again", spool.Quote(name))
		}
	}
}

// Session names the lease that this node has now; empty if it has none.
func (n *Node) Session() string { return n.tenancy.current() }

// Holds says whether the lease of a session is certain to live at this very moment: no other
// node has taken over what this one owned under it.
func (n *Node) Holds(session string) bool { return n.tenancy.holds(session) }
