package registry_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock counts seconds: every reading is later than the one before.
type clock struct{ seconds int64 }

func (c *clock) now() time.Time {
	c.seconds++
	return time.Unix(c.seconds, 0).UTC()
}

func openStore(t testing.TB) store.Store {
	t.Helper()
	s, err := store.OpenBolt(filepath.Join(t.TempDir(), "state.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newHive(t testing.TB) *hostregistry.Hive {
	t.Helper()
	return hostregistry.New(openStore(t), hostregistry.Options{Now: (&clock{}).now}).Hive("NODE")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, err error, kind spoolerr.Kind, code spoolerr.Code) {
	t.Helper()
	if !errors.Is(err, kind) || !errors.Is(err, code) {
		t.Errorf("got %v (%v, %d), want %v, %d", err, spoolerr.KindOf(err), spoolerr.CodeOf(err), kind, code)
	}
}

func names(list []registry.KeyInfo) string {
	var all []string
	for _, k := range list {
		all = append(all, k.Name)
	}
	return strings.Join(all, " ")
}

func TestHiveKeys(t *testing.T) {
	h, ctx := newHive(t), t.Context()
	created, err := h.CreateKey(ctx, `Monitors\Standard TCP/IP Port\Ports\..\ä`)
	if !created || err != nil {
		t.Fatalf("create: %v, %v", created, err)
	}
	created, err = h.CreateKey(ctx, `MONITORS\standard tcp/ip port\PORTS\..\Ä`)
	if created || err != nil {
		t.Errorf("create in other case: %v, %v", created, err)
	}
	for key, want := range map[string]bool{
		"": true, "monitors": true, `Monitors\STANDARD TCP/IP PORT\ports`: true, `Monitors\Ports`: false, "ports": false,
	} {
		if got, err := h.KeyExists(ctx, key); got != want || err != nil {
			t.Errorf("exists %q: %v, %v", key, got, err)
		}
	}
	_, err = h.CreateKey(ctx, `Monitors\AAA`)
	must(t, err)
	list, err := h.SubKeys(ctx, "monitors")
	if names(list) != "AAA Standard TCP/IP Port" || err != nil {
		t.Errorf("subkeys %q, %v", names(list), err)
	}
	if list, err = h.SubKeys(ctx, ""); names(list) != "Monitors" || err != nil {
		t.Errorf("subkeys of the root: %q, %v", names(list), err)
	}
	wants(t, h.DeleteKey(ctx, "Monitors"), spoolerr.Denied, spoolerr.CodeAccessDenied)
	wants(t, h.DeleteKey(ctx, ""), spoolerr.Invalid, spoolerr.CodeInvalidParameter)
	wants(t, h.DeleteKey(ctx, "none"), spoolerr.NotFound, spoolerr.CodeFileNotFound)
	wants(t, h.DeleteTree(ctx, `Monitors\none`), spoolerr.NotFound, spoolerr.CodeFileNotFound)
	must(t, h.DeleteKey(ctx, `monitors\aaa`))
	must(t, h.DeleteTree(ctx, "MONITORS"))
	if list, err = h.SubKeys(ctx, ""); len(list) > 0 || err != nil {
		t.Errorf("left after DeleteTree: %q, %v", names(list), err)
	}
}

func TestHiveTreeNeighbours(t *testing.T) {
	h, ctx := newHive(t), t.Context()
	for _, key := range []string{`A\B`, `A B\C`, "A!", `AB\C`, `A\B\C\D`} {
		_, err := h.CreateKey(ctx, key)
		must(t, err)
		must(t, h.SetValues(ctx, key, registry.String("v", key), registry.String("", key)))
	}
	must(t, h.DeleteTree(ctx, "a"))
	list, err := h.SubKeys(ctx, "")
	if names(list) != "A B A! AB" || err != nil {
		t.Errorf("left: %q, %v", names(list), err)
	}
	for _, key := range []string{`A B\C`, "A!", `AB\C`} {
		if values, err := h.Values(ctx, key); len(values) != 2 || err != nil {
			t.Errorf("values of %q: %v, %v", key, values, err)
		}
	}
	created, err := h.CreateKey(ctx, `A\B`)
	if !created || err != nil {
		t.Errorf("create again: %v, %v", created, err)
	}
	if values, err := h.Values(ctx, `A\B`); len(values) > 0 || err != nil {
		t.Errorf("old values came back: %v, %v", values, err)
	}
	must(t, h.DeleteTree(ctx, ""))
	if info, err := h.QueryInfoKey(ctx, ""); info.SubKeys != 0 || err != nil {
		t.Errorf("after clearing the hive: %+v, %v", info, err)
	}
}

func TestHiveValues(t *testing.T) {
	h, ctx := newHive(t), t.Context()
	wants(t, h.SetValues(ctx, "K", registry.Uint32("n", 1)), spoolerr.NotFound, spoolerr.CodeFileNotFound)
	_, err := h.CreateKey(ctx, "K")
	must(t, err)
	must(t, h.SetValues(ctx, "K", registry.Uint32("Number", 1), registry.String("", "default"),
		registry.Strings("List", "a", "b"), registry.Bytes(`Odd\Name`, []byte{1, 2, 3})))
	must(t, h.SetValues(ctx, "k", registry.Uint64("NUMBER", 2)))
	v, err := h.QueryValue(ctx, "k", "nUmBeR")
	if n, bad := v.Number(); v.Name != "Number" || v.Type != registry.QWORD || n != 2 || err != nil || bad != nil {
		t.Errorf("got %+v, %v", v, err)
	}
	if v, err = h.QueryValue(ctx, "K", ""); v.Name != "" || err != nil {
		t.Errorf("default value: %+v, %v", v, err)
	}
	list, err := h.Values(ctx, "K")
	var all []string
	for _, v := range list {
		all = append(all, v.Name)
	}
	if want := []string{"", "List", "Number", `Odd\Name`}; !slices.Equal(all, want) || err != nil {
		t.Errorf("values %q, %v", all, err)
	}
	info, err := h.QueryInfoKey(ctx, "K")
	if info.Values != 4 || info.MaxValueNameLen != 8 || info.MaxData != 16 || err != nil {
		t.Errorf("info %+v, %v", info, err)
	}
	v, err = h.EnumValue(ctx, "K", 2)
	if v.Name != "Number" || err != nil {
		t.Errorf("value 2: %+v, %v", v, err)
	}
	_, err = h.EnumValue(ctx, "K", 4)
	wants(t, err, spoolerr.NoMoreItems, spoolerr.CodeNoMoreItems)
	_, err = h.EnumKey(ctx, "K", 0)
	wants(t, err, spoolerr.NoMoreItems, spoolerr.CodeNoMoreItems)
	must(t, h.DeleteValue(ctx, "K", "LIST"))
	wants(t, h.DeleteValue(ctx, "K", "LIST"), spoolerr.NotFound, spoolerr.CodeFileNotFound)
	_, err = h.QueryValue(ctx, "K", "list")
	wants(t, err, spoolerr.NotFound, spoolerr.CodeFileNotFound)
	_, err = h.QueryValue(ctx, "none", "list")
	wants(t, err, spoolerr.NotFound, spoolerr.CodeFileNotFound)
}

func TestHiveSetIsAtomic(t *testing.T) {
	h, ctx := newHive(t), t.Context()
	_, err := h.CreateKey(ctx, "K")
	must(t, err)
	bad := []registry.Value{
		{Name: "t", Type: 99}, {Name: "t", Type: registry.DWORD, Data: make([]byte, 3)},
		{Name: "t", Type: registry.QWORD, Data: make([]byte, 4)}, {Name: "t", Type: registry.SZ, Data: make([]byte, 3)},
		{Name: "t", Type: registry.MultiSZ, Data: []byte{0}},
	}
	for _, v := range bad {
		wants(t, h.SetValues(ctx, "K", registry.Uint32("good", 1), v), spoolerr.Invalid, spoolerr.CodeInvalidParameter)
	}
	wants(t, h.SetValues(ctx, "K", registry.Uint32("good", 1), registry.Bytes("b", make([]byte, hostregistry.MaxValue+1))),
		spoolerr.Exhausted, spoolerr.CodeNotEnoughMemory)
	wants(t, h.SetValues(ctx, "K", registry.Uint32("good", 1), registry.Uint32("a\x00b", 1)),
		spoolerr.Invalid, spoolerr.CodeInvalidName)
	if info, err := h.QueryInfoKey(ctx, "K"); info.Values != 0 || err != nil {
		t.Errorf("something was stored: %+v, %v", info, err)
	}
	must(t, h.SetValues(ctx, "K", registry.Bytes("b", make([]byte, hostregistry.MaxValue))))
}

func TestBadPaths(t *testing.T) {
	h, ctx := newHive(t), t.Context()
	for _, key := range []string{`\`, `\a`, `a\`, `a\\b`, "a\x00b", "a\nb", "\x80", strings.Repeat("a", 256), strings.Repeat("\U0001f5a8", 128)} {
		_, err := h.CreateKey(ctx, key)
		wants(t, err, spoolerr.Invalid, spoolerr.CodeInvalidName)
	}
	for _, key := range []string{"a b", "a/b", "..", ".", "C:", strings.Repeat("a", 255), strings.Repeat("\U0001f5a8", 127)} {
		_, err := h.CreateKey(ctx, key)
		must(t, err)
	}
	_, err := h.CreateKey(ctx, strings.Repeat(`x\`, hostregistry.MaxDepth)+"x")
	wants(t, err, spoolerr.Exhausted, spoolerr.CodeNotEnoughMemory)
	longest := strings.TrimSuffix(strings.Repeat(strings.Repeat("界", 255)+`\`, hostregistry.MaxDepth), `\`)
	_, err = h.CreateKey(ctx, longest)
	must(t, err)
	must(t, h.SetValues(ctx, longest, registry.Uint32(strings.Repeat("界", hostregistry.MaxValueName), 1)))
	for _, spooler := range []string{"", "a/b", `a\b`, "a\x00"} {
		bad := hostregistry.New(openStore(t), hostregistry.Options{}).Hive(spooler)
		_, err := bad.CreateKey(ctx, "x")
		wants(t, err, spoolerr.Invalid, spoolerr.CodeInvalidName)
		_, err = bad.KeyExists(ctx, "x")
		wants(t, err, spoolerr.Invalid, spoolerr.CodeInvalidName)
	}
}

func TestHivesAreApart(t *testing.T) {
	r, ctx := hostregistry.New(openStore(t), hostregistry.Options{}), t.Context()
	_, err := r.Hive("NODE").CreateKey(ctx, "only here")
	must(t, err)
	if there, err := r.Hive("NODE2").KeyExists(ctx, "only here"); there || err != nil {
		t.Errorf("the key shows in another hive: %v", err)
	}
	if there, err := r.Hive("node").KeyExists(ctx, "only here"); !there || err != nil {
		t.Errorf("hive names must be case-insensitive: %v", err)
	}
}

func TestLastWrite(t *testing.T) {
	c := &clock{}
	h, ctx := hostregistry.New(openStore(t), hostregistry.Options{Now: c.now}).Hive("NODE"), t.Context()
	last := func(key string) int64 {
		info, err := h.QueryInfoKey(ctx, key)
		must(t, err)
		return info.LastWrite.Unix()
	}
	_, err := h.CreateKey(ctx, `a\b`) // at 1
	must(t, err)
	must(t, h.SetValues(ctx, `a\b`, registry.Uint32("v", 1))) // at 2
	if last("") != 1 || last("a") != 1 || last(`a\b`) != 2 {
		t.Errorf("after a value was set: %d %d %d", last(""), last("a"), last(`a\b`))
	}
	_, err = h.CreateKey(ctx, `a\c`) // at 3
	must(t, err)
	_, err = h.CreateKey(ctx, `a\c`) // at 4, changes nothing
	must(t, err)
	must(t, h.DeleteValue(ctx, `a\b`, "v")) // at 5
	if last("") != 1 || last("a") != 3 || last(`a\b`) != 5 {
		t.Errorf("at the end: %d %d %d", last(""), last("a"), last(`a\b`))
	}
}

func TestWalk(t *testing.T) {
	h, ctx := newHive(t), t.Context()
	for _, key := range []string{`M\Z`, `M\a\q`, `M\a b`, "N"} {
		_, err := h.CreateKey(ctx, key)
		must(t, err)
	}
	must(t, h.SetValues(ctx, `M\a`, registry.Uint32("two", 2), registry.Uint32("One", 1)))
	var got []string
	must(t, h.Walk(ctx, "m", func(e hostregistry.Entry) error {
		got = append(got, e.Path)
		for _, v := range e.Values {
			got = append(got, "="+v.Name)
		}
		return e.Damage
	}))
	if want := []string{"m", `m\a`, "=One", "=two", `m\a\q`, `m\a b`, `m\Z`}; !slices.Equal(got, want) {
		t.Errorf("walked %q, want %q", got, want)
	}
	stop := errors.New("stop")
	if err := h.Walk(ctx, "", func(hostregistry.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	wants(t, h.Walk(ctx, "none", nil), spoolerr.NotFound, spoolerr.CodeFileNotFound)
}

func TestWatch(t *testing.T) {
	h := newHive(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w, err := h.Watch(`M\P`)
	must(t, err)
	defer w.Close()
	for _, key := range []string{`M\Other`, `M\PX`, `M\P\Q`} {
		_, err := h.CreateKey(ctx, key)
		must(t, err)
	}
	change, err := w.Next(ctx)
	if want := []string{`m\p`, `m\p\q`}; !slices.Equal(change.Paths, want) || err != nil {
		t.Errorf("noticed %q, %v", change.Paths, err)
	}
	must(t, h.SetValues(ctx, `M\P\Q`, registry.Uint32("v", 1)))
	change, err = w.Next(ctx)
	if want := []string{`m\p\q`}; !slices.Equal(change.Paths, want) || err != nil {
		t.Errorf("noticed %q, %v", change.Paths, err)
	}
	_, err = h.Watch(`\`)
	wants(t, err, spoolerr.Invalid, spoolerr.CodeInvalidName)
}

// corrupt overwrites a stored record with one that is not in this host's format.
func corrupt(t *testing.T, s store.Store, suffix string) {
	t.Helper()
	n := 0
	must(t, s.Update(t.Context(), func(tx store.Tx) error {
		n = 0
		for item, err := range tx.Scan("registry/", "") {
			if err != nil {
				return err
			}
			if strings.HasSuffix(item.Key, suffix) {
				n++
				if err := tx.Put(item.Key, []byte{99, 1, 2}); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	if n != 1 {
		t.Fatalf("%d records end in %q", n, suffix)
	}
}

func TestDamagedRecords(t *testing.T) {
	s, ctx := openStore(t), t.Context()
	h := hostregistry.New(s, hostregistry.Options{}).Hive("NODE")
	for i := range 5 {
		_, err := h.CreateKey(ctx, fmt.Sprintf(`K\S%d`, i))
		must(t, err)
		must(t, h.SetValues(ctx, "K", registry.Uint32(fmt.Sprintf("V%d", i), 1)))
	}
	corrupt(t, s, "\x00s2")
	corrupt(t, s, "\x00v2")
	list, err := h.SubKeys(ctx, "K")
	if names(list) != "S0 S1 S3 S4" || !errors.Is(err, spoolerr.Corrupt) {
		t.Errorf("subkeys %q, %v", names(list), err)
	}
	values, err := h.Values(ctx, "K")
	if len(values) != 4 || !errors.Is(err, spoolerr.Corrupt) {
		t.Errorf("values %v, %v", values, err)
	}
	if _, err := h.EnumKey(ctx, "K", 2); !errors.Is(err, spoolerr.Corrupt) {
		t.Errorf("key 2: %v", err)
	}
	if k, err := h.EnumKey(ctx, "K", 3); k.Name != "S3" || err != nil {
		t.Errorf("key 3: %+v, %v", k, err)
	}
	info, err := h.QueryInfoKey(ctx, "K")
	if info.SubKeys != 5 || info.Values != 5 || err != nil {
		t.Errorf("info %+v, %v", info, err)
	}
	must(t, h.SetValues(ctx, "K", registry.Uint32("V2", 7))) // repairs it
	must(t, h.SetValues(ctx, `K\S2`, registry.Uint32("x", 1)))
	if list, err = h.SubKeys(ctx, "K"); len(list) != 5 || err != nil {
		t.Errorf("after the repair: %q, %v", names(list), err)
	}
	corrupt(t, s, "\x00s3")
	must(t, h.DeleteKey(ctx, `K\S3`))
	must(t, h.DeleteTree(ctx, "K"))
}
