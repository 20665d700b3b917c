package registry

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// TestWriteBudget: a chatty monitor waits, what changes nothing costs nothing, and who
// has no time to wait is told.
func TestWriteBudget(t *testing.T) {
	db, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	root := New(db, Options{}).Hive("NTPRINT").Root(`Monitors\Acme`, Limit{Owner: "Acme", Writes: 1})
	h, err := root.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := root.SetValue(t.Context(), h, registry.String("Same", "x")); err != nil {
			t.Fatal(err)
		}
	}
	// A write itself may take longer on a busy machine; but who must wait for it is told at once.
	for limit := time.Now().Add(time.Minute); !errors.Is(err, spoolerr.Exhausted) && time.Now().Before(limit); {
		err = soon(t, root, h)
	}
	if !errors.Is(err, spoolerr.Exhausted) {
		t.Errorf("writes without a pause, of which 10 are allowed: %v", err)
	}
}

// soon changes a value, and has no time to wait.
func soon(t *testing.T, root *Root, h Handle) error {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	return root.SetValue(ctx, h, registry.Uint32("N", uint32(time.Now().UnixNano())))
}
