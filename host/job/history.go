package job

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
)

// Retention says how long finished jobs are kept.
type Retention struct {
	Age   time.Duration
	Count uint64
}

// Expire drops the finished jobs that are too old or too many, the oldest first, and
// gives the ids of documents that were kept for them.
func (q *Queue) Expire(ctx context.Context, keep Retention) (removed int, documents []string, err error) {
	const batch = 256
	for {
		var n int
		var docs []string
		err := q.store.Update(ctx, func(tx store.Tx) error {
			n, docs = 0, nil
			var err error
			if n, docs, err = q.expireBatch(tx, keep, batch); err != nil {
				return err
			}
			return q.forgetSubmissions(tx, batch)
		})
		removed, documents = removed+n, append(documents, docs...)
		if err != nil || n < batch {
			return removed, documents, err
		}
	}
}

func (q *Queue) expireBatch(tx store.Tx, keep Retention, most int) (n int, docs []string, err error) {
	count, err := getNumber(tx, q.keys.finished())
	if err != nil {
		return 0, nil, err
	}
	cutoff := q.now().Add(-keep.Age)
	var drop []string
	for item, err := range tx.Scan(q.keys.endeds(), "") {
		if err != nil && item.Key == "" {
			return 0, nil, err
		}
		at, _, ok := q.keys.parseEnded(item.Key)
		excess := count > keep.Count+uint64(len(drop))
		if len(drop) == most || ok && !excess && at.After(cutoff) {
			break
		}
		drop = append(drop, item.Key)
	}
	for _, key := range drop {
		kept, err := q.drop(tx, key)
		if err != nil {
			return 0, nil, err
		}
		docs = append(docs, kept...)
	}
	return len(drop), docs, q.keys.count(tx, -int64(len(drop)))
}

// drop removes the record that an "ended" key points to and gives its kept documents.
func (q *Queue) drop(tx store.Tx, endedKey string) (documents []string, err error) {
	if err := tx.Delete(endedKey); err != nil {
		return nil, err
	}
	_, id, ok := q.keys.parseEnded(endedKey)
	if !ok {
		return nil, nil
	}
	if data, err := tx.Get(q.keys.done(id)); err == nil {
		j, err := q.keys.decode(endedKey, data)
		if err == nil && j.Away() {
			if err := tx.Delete(q.keys.away(id)); err != nil {
				return nil, err
			}
		}
		if err == nil && !j.DocumentGone {
			for _, p := range j.Parts() {
				documents = append(documents, p.ID)
			}
			if err := q.keys.disown(tx, j); err != nil {
				return nil, err
			}
		}
	}
	return documents, tx.Delete(q.keys.done(id))
}

// Documents ranges over the ids of all documents that a job refers to, for the sweep at
// start. A damaged record still names its document: when in doubt, keep.
func (q *Queue) Documents(ctx context.Context) iter.Seq2[string, error] {
	const page = 1024
	prefix := q.keys.document("")
	return func(yield func(string, error) bool) {
		for after := ""; ; {
			items, err := q.page(ctx, prefix, after, page)
			if err != nil {
				yield("", err)
				return
			}
			for _, item := range items {
				if !yield(strings.TrimPrefix(item.Key, prefix), nil) {
					return
				}
			}
			if len(items) < page {
				return
			}
			after = items[len(items)-1].Key
		}
	}
}

// Interrupted lists the jobs that were printing when the queue was last closed or lost.
func (q *Queue) Interrupted() []*Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	var jobs []*Job
	for _, j := range q.active {
		if j.State == Printing {
			jobs = append(jobs, j)
		}
	}
	return jobs
}
