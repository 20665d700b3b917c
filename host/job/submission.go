package job

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// submissionAge is how long a submission key is remembered at least: whoever sends a
// document again has been without an answer for so long at most.
const submissionAge = 30 * 24 * time.Hour

// Submitted gives the job that a submission with this key has made, or nil.
func (q *Queue) Submitted(ctx context.Context, key string) (j *Job, err error) {
	err = q.store.View(ctx, func(tx store.Tx) (err error) {
		j, err = q.keys.submitted(tx, key)
		return err
	})
	return j, err
}

// submitted is Submitted in a transaction. Of a job whose record has expired only the id is
// known.
func (k keys) submitted(tx store.Tx, key string) (*Job, error) {
	if key == "" {
		return nil, nil
	}
	if _, err := tx.Get(k.submission(key)); errors.Is(err, spoolerr.NotFound) {
		return nil, nil
	}
	id, err := getNumber(tx, k.submission(key))
	if err != nil {
		return nil, err
	}
	j, err := k.load(tx, id, nil)
	if errors.Is(err, spoolerr.NotFound) {
		return &Job{ID: id, Submission: key, State: Printed, Reason: "it has ended, and its record has expired"}, nil
	}
	return j, err
}

// remember keeps the key of a new job.
func (k keys) remember(tx store.Tx, j *Job) error {
	if j.Submission == "" {
		return nil
	}
	return errors.Join(putNumber(tx, k.submission(j.Submission), j.ID),
		tx.Put(k.submitteds()+hex(uint64(j.Submitted.UnixNano()))+"/"+j.Submission, []byte{1}))
}

// forgetSubmissions drops the keys that are too old, at most so many.
func (q *Queue) forgetSubmissions(tx store.Tx, most int) error {
	oldest := hex(uint64(q.now().Add(-submissionAge).UnixNano()))
	var drop []string
	for item, err := range tx.Scan(q.keys.submitteds(), "") {
		if err != nil && item.Key == "" {
			return err
		}
		at, key, _ := strings.Cut(strings.TrimPrefix(item.Key, q.keys.submitteds()), "/")
		if len(drop) >= 2*most || at >= oldest {
			break
		}
		drop = append(drop, item.Key, q.keys.submission(key))
	}
	for _, key := range drop {
		if err := tx.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
