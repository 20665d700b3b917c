package registry

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// TestChildren: read together, subkeys have the values that each has by itself, whatever
// their names are and whatever lies below them.
func TestChildren(t *testing.T) {
	db, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	r := New(db, Options{})
	h := r.Hive("NTPRINT")
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"a", "A1", "a!", "a b", "ab", "a,b", "b", "Zoë", "z", "empty"}
	for i, name := range names {
		for _, below := range []string{"", `\deep`, `\deep\deeper`, `\!`} {
			_, err := h.CreateKey(t.Context(), `P\`+name+below)
			ok(err)
			if name != "empty" && (below != "" || i != 3) {
				ok(h.SetValues(t.Context(), `P\`+name+below, registry.String("in", name+below), registry.Uint32("N", uint32(i))))
			}
		}
	}
	for _, parent := range []string{"P", ""} {
		var got []string
		ok(h.Children(t.Context(), parent, func(e Entry) error {
			got = append(got, e.Path)
			alone, err := h.Values(t.Context(), e.Path)
			if err != nil || e.Damage != nil || !reflect.DeepEqual(alone, e.Values) {
				t.Errorf("%s has %v, and by itself %v (%v, %v)", e.Path, e.Values, alone, e.Damage, err)
			}
			return nil
		}))
		subs, err := h.SubKeys(t.Context(), parent)
		if err != nil || len(subs) != len(got) {
			t.Errorf("%d of %d subkeys of %q came: %v", len(got), len(subs), parent, err)
		}
	}
	root := h.Root("P", Limit{})
	k, err := root.Open(t.Context())
	ok(err)
	var pages []string
	for after, more := "", true; more; {
		list, err := root.QuerySubKeys(t.Context(), k, "", after)
		ok(err)
		if more = len(list) > 0; more {
			list = list[:1] // a page may end anywhere
			alone, err := h.Values(t.Context(), `P\`+list[0].Name)
			if after = list[0].Name; err != nil || !slices.EqualFunc(alone, list[0].Values, func(a, b registry.Value) bool { return reflect.DeepEqual(a, b) }) {
				t.Errorf("page after %q: %v, by itself %v (%v)", after, list[0].Values, alone, err)
			}
			pages = append(pages, spool.Fold(after))
		}
	}
	if len(pages) != len(names) || !slices.IsSorted(pages) {
		t.Errorf("pages: %v", pages)
	}
	for key, want := range map[string]bool{"P": true, `P\a b`: true, `P\empty`: false, "nothing": false, "": true} {
		if has, err := h.HasValues(t.Context(), key); has != want || err != nil {
			t.Errorf("%q has values: %v, %v", key, has, err)
		}
	}
}
