package spooler

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/store"
)

// fullDisk is a store that takes nothing.
type fullDisk struct{ store.Store }

func (fullDisk) Update(context.Context, func(store.Tx) error) error {
	return errors.New("no space left")
}

// A store that fails for good must not keep a host from stopping.
func TestStopWithAFailingStore(t *testing.T) {
	db, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	queue, _, err := job.Open(t.Context(), fullDisk{db}, NodeName, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := &Spooler{cfg: Config{Queue: queue, Local: true, Logger: hclog.NewNullLogger()}, stopping: true}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	(&attempt{spooler: s, job: &job.Job{ID: 1}}).finish(ctx, job.Result{Outcome: job.Sent})
	if ctx.Err() != nil {
		t.Error("it went on for a minute")
	}
}

// A document whose record may have been committed is kept, and one whose record was not is
// removed.
func TestUnrecordedDocument(t *testing.T) {
	docs, err := document.Open(t.TempDir(), document.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer docs.Close()
	s := &Spooler{cfg: Config{Documents: docs, Logger: hclog.NewNullLogger()}}
	for _, c := range []struct {
		why   error
		stays bool
	}{{fmt.Errorf("the connection was lost: %w", store.ErrUnknown), true}, {store.ErrFenced, false}} {
		w, err := docs.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(make([]byte, 1<<20)) // more than what shares a file with others
		ref, err := w.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.unrecorded(t.Context(), ref.ID, c.why)
		d, err := docs.Open(t.Context(), ref)
		if err == nil {
			_ = d.Close()
		}
		if stays := err == nil; stays != c.stays {
			t.Errorf("after %v it stays: %v", c.why, stays)
		}
	}
}
