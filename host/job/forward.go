package job

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Forward is a job of another host that a document has become.
type Forward struct {
	// Printer is \\SERVER\PRINTER.
	Printer string `json:"printer"`
	// ID is the job's there; 0 while nobody knows whether it is one: the server's answer was lost.
	ID uint64 `json:"id,omitempty"`
	// Key is the submission key of the document.
	Key string `json:"key,omitempty"`
	// State and Reason are how it stood there when the server was last heard of.
	State  State  `json:"state,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Problem is why the server says nothing of it now, or does not cancel it.
	Problem string `json:"problem,omitempty"`
	// Cancel is set when somebody has cancelled it here, and the server is still to be told.
	Cancel bool `json:"cancel,omitempty"`
	// Over says that nothing more will be heard of it.
	Over bool `json:"over,omitempty"`
}

// maxForwards bounds what a job's record carries: older ones are dropped.
const maxForwards = 64

// SetForwarded notes which job of another host a document of a job has become, or how that
// stands there. What is known of the same document is replaced.
func (q *Queue) SetForwarded(ctx context.Context, id uint64, to Forward) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) {
		i := slices.IndexFunc(j.Forwarded, func(f Forward) bool { return f.Printer == to.Printer && f.Key == to.Key })
		if i >= 0 && j.Forwarded[i] == to {
			return j, nil
		}
		j = j.clone()
		j.Forwarded = slices.Clone(j.Forwarded)
		if i >= 0 {
			j.Forwarded[i] = to
		} else {
			j.Forwarded = append(j.Forwarded, to)
		}
		j.Forwarded = j.Forwarded[max(0, len(j.Forwarded)-maxForwards):]
		return j, nil
	})
}

// Away says that documents of the job are on another host that has not ended with them.
func (j *Job) Away() bool {
	return slices.ContainsFunc(j.Forwarded, func(f Forward) bool { return !f.Over })
}

// follow keeps the record of the jobs that are away.
func (k keys) follow(tx store.Tx, old, next *Job) error {
	was := old != nil && old.Away()
	switch is := next.Away(); {
	case is && !was:
		return tx.Put(k.away(next.ID), []byte{1})
	case was && !is:
		return tx.Delete(k.away(next.ID))
	}
	return nil
}

// Away gives the jobs that are away, finished here or not, in order of id. It reads those
// and no others, however long the history is.
func (q *Queue) Away(ctx context.Context) (list []*Job, err error) {
	const page = 256
	prefix := q.keys.aways()
	for after := ""; ; {
		items, err := q.page(ctx, prefix, after, page)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			id, err := strconv.ParseUint(strings.TrimPrefix(item.Key, prefix), 16, 64)
			if err != nil {
				continue // damaged, and of no job
			}
			j, err := q.Get(ctx, id)
			if kind := spoolerr.KindOf(err); kind == spoolerr.NotFound || kind == spoolerr.Corrupt {
				continue
			}
			if err != nil {
				return nil, err
			}
			list = append(list, j)
		}
		if len(items) < page {
			return list, nil
		}
		after = items[len(items)-1].Key
	}
}
