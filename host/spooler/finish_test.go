package spooler

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

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
	s := &Spooler{cfg: Config{Queue: queue, Logger: hclog.NewNullLogger()}, stopping: true}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	(&attempt{spooler: s, job: &job.Job{ID: 1}}).finish(ctx, job.Result{Outcome: job.Sent})
	if ctx.Err() != nil {
		t.Error("it went on for a minute")
	}
}
