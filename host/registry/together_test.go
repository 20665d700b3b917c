package registry_test

import (
	"errors"
	"testing"

	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestQueryMultipleValues(t *testing.T) {
	root := newHive(t).Root("M", hostregistry.Limit{Owner: "M", Bytes: 8 << 20})
	h, err := root.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sub, _, err := root.CreateKey(t.Context(), h, `Ports\p`)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.SetValue(t.Context(), sub, registry.Uint32("b", 2), registry.String("a", "x")); err != nil {
		t.Fatal(err)
	}
	for path, from := range map[string]hostregistry.Handle{`ports\P`: h, "": sub} {
		list, err := root.QueryMultipleValues(t.Context(), from, path)
		if err != nil || len(list) != 2 || list[0].Name != "a" || list[1].Name != "b" {
			t.Errorf("%q: %v %v", path, list, err)
		}
	}
	if _, err := root.QueryMultipleValues(t.Context(), h, `Ports\q`); !errors.Is(err, spoolerr.CodeFileNotFound) {
		t.Error(err)
	}
	for _, name := range []string{"c", "d"} {
		if err := root.SetValue(t.Context(), sub, registry.Bytes(name, make([]byte, 600<<10))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := root.QueryMultipleValues(t.Context(), h, `Ports\p`); !errors.Is(err, spoolerr.CodeMoreData) {
		t.Error(err)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := root.QueryMultipleValues(t.Context(), h, ""); !errors.Is(err, spoolerr.BadHandle) {
		t.Error(err)
	}
}
