package store_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// TestLate: everything can be read before Bind, what is as it should be needs no write, and
// after Bind writes go where they are bound to.
func TestLate(t *testing.T) {
	db, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	set := func(s store.Store, value string) error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			if now, err := tx.Get("k"); err == nil && string(now) == value {
				return nil
			}
			return tx.Put("k", []byte(value))
		})
	}
	if err := set(db, "1"); err != nil {
		t.Fatal(err)
	}
	late := store.NewLate(db)
	w := late.Watch("k")
	defer w.Close()
	if err := set(late, "1"); err != nil {
		t.Errorf("nothing to write: %v", err)
	}
	if err := set(late, "2"); spoolerr.KindOf(err) != spoolerr.Unavailable {
		t.Errorf("a write before Bind: %v", err)
	}
	err = late.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("k") })
	if spoolerr.KindOf(err) != spoolerr.Unavailable || w.Pending() {
		t.Errorf("a deletion before Bind: %v, %v", err, w.Pending())
	}
	late.Bind(store.Guard(db, "owner", "me"))
	if err := set(late, "2"); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a write that the guard refuses: %v", err)
	}
	late.Bind(db)
	if err := set(late, "2"); err != nil || !w.Pending() {
		t.Errorf("a write after Bind: %v, %v", err, w.Pending())
	}
	if _, err := w.Next(t.Context()); err != nil || w.Pending() {
		t.Errorf("Next: %v, %v", err, w.Pending())
	}
	if err := store.Told(t.Context(), late); err != nil {
		t.Error(err)
	}
}
