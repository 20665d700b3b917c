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
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	for n := range uint32(1000) {
		if err = root.SetValue(ctx, h, registry.Uint32("N", n)); err != nil {
			break
		}
	}
	if !errors.Is(err, spoolerr.Exhausted) {
		t.Errorf("1000 writes at once, of which 10 are allowed: %v", err)
	}
}
