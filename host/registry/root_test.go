package registry_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const monitorPath = `Monitors\Standard TCP/IP Port`

func newRoot(t *testing.T, limit hostregistry.Limit) (*hostregistry.Hive, *hostregistry.Root, hostregistry.Handle) {
	t.Helper()
	hive := newHive(t)
	limit.Owner = "Standard TCP/IP Port"
	root := hive.Root(monitorPath, limit)
	h, err := root.Open(t.Context())
	must(t, err)
	return hive, root, h
}

func TestRootHandles(t *testing.T) {
	hive, root, h := newRoot(t, hostregistry.Limit{})
	ctx := t.Context()
	sub, created, err := root.CreateKey(ctx, h, `Ports\IP_10.0.0.5`)
	if !created || err != nil || sub == h {
		t.Fatalf("create: %v, %v, %v", sub, created, err)
	}
	must(t, root.SetValue(ctx, sub, registry.Uint32("PortNumber", 9100), registry.String("HostName", "p1")))
	v, err := root.QueryValue(ctx, sub, "portnumber", math.MaxUint32)
	if n, _ := v.Number(); n != 9100 || err != nil {
		t.Errorf("value %+v, %v", v, err)
	}
	if there, err := hive.KeyExists(ctx, monitorPath+`\Ports\IP_10.0.0.5`); !there || err != nil {
		t.Errorf("the key is not in the hive: %v", err)
	}
	again, err := root.OpenKey(ctx, sub, "")
	if again == sub || err != nil {
		t.Errorf("opening a key again: %v, %v", again, err)
	}
	must(t, root.CloseKey(ctx, sub))
	wants(t, root.CloseKey(ctx, sub), spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
	must(t, root.DeleteValue(ctx, again, "HostName"))
	_, err = root.OpenKey(ctx, h, "none")
	wants(t, err, spoolerr.NotFound, spoolerr.CodeFileNotFound)
	wants(t, root.DeleteKey(ctx, h, "Ports"), spoolerr.Denied, spoolerr.CodeAccessDenied)
	wants(t, root.DeleteKey(ctx, h, ""), spoolerr.Invalid, spoolerr.CodeInvalidParameter)
	must(t, root.DeleteKey(ctx, h, `Ports\IP_10.0.0.5`))
	err = root.SetValue(ctx, again, registry.Uint32("late", 1))
	wants(t, err, spoolerr.NotFound, spoolerr.CodeFileNotFound)
	_, _, err = root.CreateKey(ctx, again, "late")
	wants(t, err, spoolerr.NotFound, spoolerr.CodeFileNotFound)
	fresh, err := root.OpenKey(ctx, h, "Ports")
	must(t, err)
	if fresh == sub {
		t.Error("a handle was given out twice")
	}
}

func TestRootClose(t *testing.T) {
	hive, root, h := newRoot(t, hostregistry.Limit{})
	ctx := t.Context()
	must(t, root.Close())
	must(t, root.Close())
	_, open := root.Open(ctx)
	_, _, create := root.CreateKey(ctx, h, "x")
	_, openKey := root.OpenKey(ctx, h, "")
	_, enumKey := root.EnumKey(ctx, h, 0)
	_, info := root.QueryInfoKey(ctx, h)
	_, enumValue := root.EnumValue(ctx, h, 0, 0)
	_, query := root.QueryValue(ctx, h, "x", 0)
	_, key := root.Key(ctx)
	for _, err := range []error{
		open, create, openKey, enumKey, info, enumValue, query, key, root.CloseKey(ctx, h),
		root.DeleteKey(ctx, h, "x"), root.SetValue(ctx, h), root.DeleteValue(ctx, h, "x"),
	} {
		wants(t, err, spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
	}
	next := hive.Root(monitorPath, hostregistry.Limit{})
	again, err := next.Open(ctx)
	must(t, err)
	if again == h {
		t.Error("the next life's handle equals the last one's")
	}
	if list, err := hive.SubKeys(ctx, monitorPath); len(list) > 0 || err != nil {
		t.Errorf("the closed root wrote %v, %v", list, err)
	}
}

func TestRootMoreData(t *testing.T) {
	_, root, h := newRoot(t, hostregistry.Limit{})
	ctx := t.Context()
	must(t, root.SetValue(ctx, h, registry.Bytes("b", make([]byte, 10))))
	for most, fits := range map[uint32]bool{0: false, 9: false, 10: true, 11: true} {
		v, err := root.QueryValue(ctx, h, "b", most)
		w, enumErr := root.EnumValue(ctx, h, 0, most)
		if len(v.Data) != 10 || len(w.Data) != 10 {
			t.Errorf("room for %d: the length is not told: %d, %d", most, len(v.Data), len(w.Data))
		}
		for _, err := range []error{err, enumErr} {
			if fits != (err == nil) || !fits && !errors.Is(err, spoolerr.CodeMoreData) {
				t.Errorf("room for %d: %v", most, err)
			}
		}
	}
}

func TestRootLimits(t *testing.T) {
	limit := hostregistry.Limit{Bytes: 1000, Keys: 5, Handles: 4}
	hive, root, h := newRoot(t, limit)
	ctx := t.Context()
	exhausted := func(err error) {
		t.Helper()
		wants(t, err, spoolerr.Exhausted, spoolerr.CodeNotEnoughMemory)
		if err != nil && !strings.Contains(err.Error(), "Standard TCP/IP Port") {
			t.Errorf("%q does not name the monitor", err)
		}
	}
	create := func(name string) error {
		sub, _, err := root.CreateKey(ctx, h, name)
		if err == nil {
			must(t, root.CloseKey(ctx, sub))
		}
		return err
	}
	for i := range 5 {
		must(t, create(fmt.Sprint("k", i)))
	}
	exhausted(create("k5"))
	exhausted(create(`k0\x`))
	must(t, create("K1"))
	must(t, root.DeleteKey(ctx, h, "k4"))
	must(t, create("k5"))

	exhausted(root.SetValue(ctx, h, registry.Bytes("v", make([]byte, 1000))))
	must(t, root.SetValue(ctx, h, registry.Bytes("v", make([]byte, 900))))
	exhausted(root.SetValue(ctx, h, registry.Bytes("w", make([]byte, 100))))
	must(t, root.SetValue(ctx, h, registry.Bytes("v", make([]byte, 100)), registry.Bytes("w", make([]byte, 800))))
	must(t, root.DeleteValue(ctx, h, "w"))
	must(t, root.SetValue(ctx, h, registry.Bytes("x", make([]byte, 800))))
	must(t, hive.DeleteTree(ctx, monitorPath+`\k5`))
	must(t, create("k6"))

	for range 3 {
		_, err := root.OpenKey(ctx, h, "")
		must(t, err)
	}
	_, err := root.OpenKey(ctx, h, "")
	exhausted(err)
	_, _, err = root.CreateKey(ctx, h, "k6")
	exhausted(err)
	must(t, root.CloseKey(ctx, h))
	_, err = root.Open(ctx)
	must(t, err)
}

// What the host itself stores beneath a root counts too, and what was there before the
// root is counted when it is opened first.
func TestRootCountsWhatIsThere(t *testing.T) {
	hive, ctx := newHive(t), t.Context()
	_, err := hive.CreateKey(ctx, `M\a\b`)
	must(t, err)
	must(t, hive.SetValues(ctx, `M\a`, registry.Bytes("v", make([]byte, 400))))
	root := hive.Root("m", hostregistry.Limit{Owner: "m", Bytes: 1000, Keys: 3})
	h, err := root.Open(ctx)
	must(t, err)
	must(t, hive.SetValues(ctx, "M", registry.Bytes("w", make([]byte, 500))))
	wants(t, root.SetValue(ctx, h, registry.Bytes("x", make([]byte, 100))), spoolerr.Exhausted, spoolerr.CodeNotEnoughMemory)
	must(t, hive.SetValues(ctx, "M", registry.Bytes("y", make([]byte, 500)))) // the host is not limited
	wants(t, root.SetValue(ctx, h, registry.Bytes("z", nil)), spoolerr.Exhausted, spoolerr.CodeNotEnoughMemory)
	must(t, root.SetValue(ctx, h, registry.Bytes("y", nil))) // shrinking is allowed
	must(t, hive.DeleteTree(ctx, "M"))
	h, err = root.Open(ctx)
	must(t, err)
	must(t, root.SetValue(ctx, h, registry.Bytes("x", make([]byte, 990))))
	_, _, err = root.CreateKey(ctx, h, "abcdefghijklm")
	wants(t, err, spoolerr.Exhausted, spoolerr.CodeNotEnoughMemory)
}

func TestRootEnumeration(t *testing.T) {
	_, root, h := newRoot(t, hostregistry.Limit{})
	ctx := t.Context()
	for _, name := range []string{"d", "b", "a", "c"} {
		_, _, err := root.CreateKey(ctx, h, name+`\deeper\still`)
		must(t, err)
		must(t, root.SetValue(ctx, h, registry.Uint32(name, 0)))
	}
	at := func(index uint32) string {
		k, err := root.EnumKey(ctx, h, index)
		v, valueErr := root.EnumValue(ctx, h, index, math.MaxUint32)
		if errors.Is(err, spoolerr.NoMoreItems) && errors.Is(valueErr, spoolerr.CodeNoMoreItems) {
			return "-"
		}
		if err != nil || valueErr != nil || k.Name != v.Name {
			t.Errorf("index %d: %v %v, %v %v", index, k, err, v, valueErr)
		}
		return k.Name
	}
	remove := func(name string) {
		must(t, root.DeleteKey(ctx, h, name+`\deeper\still`))
		must(t, root.DeleteKey(ctx, h, name+`\deeper`))
		must(t, root.DeleteKey(ctx, h, name))
		must(t, root.DeleteValue(ctx, h, name))
	}
	var got string
	for _, index := range []uint32{0, 1, 1, 2, 3, 4, 5, 0, 3, 2, 4000000000, 1} {
		got += at(index)
	}
	if got != "abbcd--adc-b" {
		t.Errorf("got %q", got)
	}
	remove("a") // shifts what the position remembers
	if got := at(2) + at(1) + at(0); got != "dcb" {
		t.Errorf("after a deletion: %q", got)
	}
	for at(0) != "-" { // the usual way to empty a key
		remove(at(0))
	}
	if info, err := root.QueryInfoKey(ctx, h); info.SubKeys != 0 || info.Values != 0 || err != nil {
		t.Errorf("left: %+v, %v", info, err)
	}
}

// Counting up through many subkeys must not start from the first each time.
func TestRootEnumerationIsLinear(t *testing.T) {
	const many = 10000
	hive, root, h := newRoot(t, hostregistry.Limit{})
	ctx := t.Context()
	var wg sync.WaitGroup
	for w := range 50 {
		wg.Go(func() {
			for i := w; i < many; i += 50 {
				if _, err := hive.CreateKey(ctx, fmt.Sprintf(`%s\k%05d`, monitorPath, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	begin := time.Now()
	n := 0
	key, err := root.Key(ctx)
	must(t, err)
	for k, err := range registry.Keys(ctx, key) {
		if want := fmt.Sprintf("k%05d", n); k.Name != want || err != nil {
			t.Fatalf("key %d is %q, %v", n, k.Name, err)
		}
		n++
	}
	if n != many {
		t.Errorf("counted %d", n)
	}
	t.Logf("%d keys in %v", n, time.Since(begin))
	if spent := time.Since(begin); spent > time.Minute { // quadratic: many
		t.Errorf("the enumeration took %v", spent)
	}
	_, err = root.EnumKey(ctx, h, many)
	wants(t, err, spoolerr.NoMoreItems, spoolerr.CodeNoMoreItems)
}

func TestKeyIsTheRegistrysKey(t *testing.T) {
	_, root, _ := newRoot(t, hostregistry.Limit{})
	ctx := t.Context()
	key, err := root.Key(ctx)
	must(t, err)
	sub, created, err := key.CreateKey(ctx, "Ports")
	if !created || err != nil {
		t.Fatalf("create: %v, %v", created, err)
	}
	must(t, sub.SetValue(ctx, registry.String("a", "1"), registry.String("b", "2")))
	n := 0
	for v, err := range registry.Values(ctx, sub) {
		must(t, err)
		if s, _ := v.Text(); s == "" {
			t.Errorf("value %+v", v)
		}
		n++
	}
	info, err := sub.QueryInfoKey(ctx)
	if n != 2 || info.Values != 2 || err != nil {
		t.Errorf("%d values, info %+v, %v", n, info, err)
	}
	opened, err := key.OpenKey(ctx, "PORTS")
	must(t, err)
	must(t, opened.DeleteValue(ctx, "A"))
	_, err = sub.QueryValue(ctx, "a")
	wants(t, err, spoolerr.NotFound, spoolerr.CodeFileNotFound)
	must(t, key.DeleteKey(ctx, "Ports"))
	must(t, opened.CloseKey(ctx))
	wants(t, opened.CloseKey(ctx), spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
	if sub, err := key.OpenKey(ctx, "none"); sub != nil || err == nil {
		t.Errorf("a failed open gave %v, %v", sub, err)
	}
}

func TestRootBadPath(t *testing.T) {
	root := newHive(t).Root(`a\\b`, hostregistry.Limit{})
	_, err := root.Open(t.Context())
	wants(t, err, spoolerr.Invalid, spoolerr.CodeInvalidName)
	deep := newHive(t).Root(strings.TrimSuffix(strings.Repeat(`x\`, 31), `\`), hostregistry.Limit{})
	h, err := deep.Open(t.Context())
	must(t, err)
	_, _, err = deep.CreateKey(t.Context(), h, "y")
	must(t, err)
	_, _, err = deep.CreateKey(t.Context(), h, `y\z`)
	wants(t, err, spoolerr.Exhausted, spoolerr.CodeNotEnoughMemory)
}

// TestQuerySubKeys: page by page a monitor gets what it would get key by key.
func TestQuerySubKeys(t *testing.T) {
	hive, root, h := newRoot(t, hostregistry.Limit{})
	const n = 1200
	var writers sync.WaitGroup // so that they share commits
	for i := range n {
		writers.Go(func() {
			key := fmt.Sprintf(`%s\Ports\Port%04d`, root.Path(), i)
			_, err := hive.CreateKey(t.Context(), key)
			err = errors.Join(err, hive.SetValues(t.Context(), key, registry.Uint32("Number", uint32(i)), registry.String("Host", strings.Repeat("h", 500))))
			if err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	var after string
	count, pages := 0, 0
	for {
		page, err := root.QuerySubKeys(t.Context(), h, "ports", after)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, sub := range page {
			if sub.Name != fmt.Sprintf("Port%04d", count) || len(sub.Values) != 2 || sub.Values[0].Name != "Host" || sub.LastWrite.IsZero() {
				t.Fatalf("subkey %d is %+v", count, sub)
			}
			if got, err := sub.Values[1].Number(); got != uint64(count) || err != nil {
				t.Errorf("subkey %d has the number %d, %v", count, got, err)
			}
			count++
		}
		pages++
		after = page[len(page)-1].Name
	}
	if count != n || pages != 2 {
		t.Errorf("%d subkeys on %d pages", count, pages)
	}
	if _, err := root.QuerySubKeys(t.Context(), h, "missing", ""); !errors.Is(err, spoolerr.NotFound) {
		t.Errorf("of a key that does not exist: %v", err)
	}
	big := registry.Bytes("Big", make([]byte, 600<<10))
	for _, value := range []string{"Big", "Big2"} {
		big.Name = value
		if err := hive.SetValues(t.Context(), root.Path()+`\Ports\Port0001`, big); err != nil {
			t.Fatal(err)
		}
	}
	if page, err := root.QuerySubKeys(t.Context(), h, "Ports", ""); len(page) != 1 || err != nil {
		t.Errorf("before a large subkey: %d, %v", len(page), err)
	}
	if _, err := root.QuerySubKeys(t.Context(), h, "Ports", "Port0000"); !errors.Is(err, spoolerr.MoreData) {
		t.Errorf("a large subkey: %v", err)
	}
}
