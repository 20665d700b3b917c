package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// remove takes away all that a deleted spooler has. Its own record goes last, so that
// whoever owns it next goes on with what is left.
func (n *Node) remove(l *local, s Spooler) {
	own := l.own
	n.background(func() func() {
		at := Ownership{Spooler: s, Epoch: own.Epoch, Store: n.guarded(l.name, own)}
		err := n.cfg.Wipe(n.loop, at)
		if err == nil {
			err = at.Store.Update(n.loop, func(tx store.Tx) error {
				return errors.Join(tx.Delete(spoolerKey(s.Name)), tx.Delete(ownerKey(s.Name)), tx.Delete(stateKey(s.Name)), tx.Delete(moveKey(s.Name)))
			})
		}
		return func() {
			switch {
			case errors.Is(err, store.ErrFenced):
				n.step(l, ownerEvent{what: onRefused})
			case err != nil:
				n.warn("spooler "+spool.Quote(s.Name)+" was not removed", err)
				n.step(l, ownerEvent{what: onBroken})
			default:
				n.noteSpooler(eventlog.SpoolerDeleted, eventlog.Info, s.Name, fmt.Sprintf("spooler %s was deleted", spool.Quote(s.Name)))
				n.step(l, ownerEvent{what: onHanded})
			}
		}
	})
}

// DeleteBelow deletes every entry of the owner's store below a prefix, in bounded
// transactions.
func (o Ownership) DeleteBelow(ctx context.Context, below string) error {
	const batch = 128
	for {
		gone := 0
		err := o.Store.Update(ctx, func(tx store.Tx) (err error) {
			gone, err = deleteSome(tx, below, batch)
			return err
		})
		if err != nil || gone < batch {
			return err
		}
	}
}

func deleteSome(tx store.Tx, below string, most int) (n int, err error) {
	var keys []string
	for item, err := range tx.Scan(below, "") {
		if err != nil && item.Key == "" {
			return 0, err
		}
		if keys = append(keys, item.Key); len(keys) == most {
			break
		}
	}
	for _, key := range keys {
		if err := tx.Delete(key); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}
