package registry_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// model is the registry as simple as can be: folded paths to values by folded name.
type model struct {
	keys  map[string]map[string]registry.Value
	names map[string]string // folded path to the name as first written
	root  string
	bytes int64
	most  int64
}

func fold(s string) string { return strings.ToLower(s) } // the names drawn are ASCII

func under(parent, sub string) string { return strings.Trim(parent+`\`+sub, `\`) }

func split(path string) (parent, base string) {
	at := strings.LastIndexByte(path, '\\')
	return path[:max(at, 0)], path[at+1:]
}

func (m *model) exists(path string) bool { _, ok := m.keys[fold(path)]; return ok }

// create gives the bytes it would add; do says whether to do it.
func (m *model) create(path string) (added int64) {
	parent, base := split(path)
	if m.exists(path) {
		return 0
	}
	added = m.create(parent) + int64(len(base))
	m.keys[fold(path)] = map[string]registry.Value{}
	m.names[fold(path)] = base
	return added
}

func (m *model) children(path string) (names []string) {
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		if parent, base := split(key); parent == fold(path) && base != "" {
			names = append(names, m.names[key])
		}
	}
	return names
}

func (m *model) clone() *model {
	c := &model{keys: map[string]map[string]registry.Value{}, names: maps.Clone(m.names), root: m.root, bytes: m.bytes, most: m.most}
	for k, v := range m.keys {
		c.keys[k] = maps.Clone(v)
	}
	return c
}

func (m *model) weight() (total int64) {
	for key, values := range m.keys {
		if key != m.root && strings.HasPrefix(key, m.root+`\`) {
			total += int64(len(m.names[key]))
		}
		if key != m.root && !strings.HasPrefix(key, m.root+`\`) {
			continue
		}
		for _, v := range values {
			total += int64(len(v.Name) + len(v.Data))
		}
	}
	return total
}

// step runs one operation on both, and compares how it ended.
type machine struct {
	t    *rapid.T
	hive *hostregistry.Hive
	root *hostregistry.Root
	top  hostregistry.Handle
	m    *model
}

func (c *machine) compare(what string, got error, want spoolerr.Kind, ok bool) {
	if ok && got != nil || !ok && !errors.Is(got, want) {
		c.t.Fatalf("%s: got %v, the model says ok=%v %v", what, got, ok, want)
	}
}

func (c *machine) path() string {
	names := rapid.SampledFrom([]string{"a", "A", "b", "a b", "c/d", ".."})
	return strings.Join(rapid.SliceOfN(names, 0, 3).Draw(c.t, "path"), `\`)
}

func (c *machine) createKey(_ *rapid.T) {
	sub := c.path()
	path := under(c.m.root, sub)
	next := c.m.clone()
	next.create(path)
	existed := c.m.exists(path)
	fits := existed || next.weight() <= next.most
	h, created, err := c.root.CreateKey(c.t.Context(), c.top, sub)
	c.compare("create "+path, err, spoolerr.Exhausted, fits)
	if err != nil {
		return
	}
	if created == existed {
		c.t.Fatalf("create %q says created=%v", path, created)
	}
	c.m = next
	_ = c.root.CloseKey(c.t.Context(), h)
}

func (c *machine) deleteKey(_ *rapid.T) {
	sub := c.path()
	path := under(c.m.root, sub)
	err := c.root.DeleteKey(c.t.Context(), c.top, sub)
	switch {
	case sub == "":
		c.compare("delete root", err, spoolerr.Invalid, false)
	case !c.m.exists(path):
		c.compare("delete "+path, err, spoolerr.NotFound, false)
	case len(c.m.children(path)) > 0:
		c.compare("delete "+path, err, spoolerr.Denied, false)
	default:
		c.compare("delete "+path, err, 0, true)
		delete(c.m.keys, fold(path))
		delete(c.m.names, fold(path))
	}
}

func (c *machine) deleteTree(_ *rapid.T) {
	sub := c.path()
	if sub == "" {
		return
	}
	path := under(c.m.root, sub)
	err := c.hive.DeleteTree(c.t.Context(), path)
	c.compare("delete tree "+path, err, spoolerr.NotFound, c.m.exists(path))
	for key := range c.m.keys {
		if key == fold(path) || strings.HasPrefix(key, fold(path)+`\`) {
			delete(c.m.keys, key)
			delete(c.m.names, key)
		}
	}
}

func (c *machine) setValues(_ *rapid.T) {
	sub := c.path()
	path := under(c.m.root, sub)
	var values []registry.Value
	for range rapid.IntRange(1, 3).Draw(c.t, "values") {
		name := rapid.SampledFrom([]string{"", "v", "V", "w"}).Draw(c.t, "name")
		values = append(values, registry.Bytes(name, make([]byte, rapid.IntRange(0, 120).Draw(c.t, "size"))))
	}
	next := c.m.clone()
	for _, v := range values {
		if old, ok := next.keys[fold(path)][fold(v.Name)]; ok {
			v.Name = old.Name
		}
		if next.exists(path) {
			next.keys[fold(path)][fold(v.Name)] = v
		}
	}
	h, err := c.root.OpenKey(c.t.Context(), c.top, sub)
	c.compare("open "+path, err, spoolerr.NotFound, c.m.exists(path))
	if err != nil {
		return
	}
	err = c.root.SetValue(c.t.Context(), h, values...)
	grows := next.weight() > c.m.weight()
	c.compare("set "+path, err, spoolerr.Exhausted, !grows || next.weight() <= next.most)
	if err == nil {
		c.m = next
	}
	_ = c.root.CloseKey(c.t.Context(), h)
}

func (c *machine) deleteValue(_ *rapid.T) {
	path := under(c.m.root, c.path())
	name := rapid.SampledFrom([]string{"", "v", "V", "w"}).Draw(c.t, "name")
	err := c.hive.DeleteValue(c.t.Context(), path, name)
	_, there := c.m.keys[fold(path)][fold(name)]
	c.compare("delete value of "+path, err, spoolerr.NotFound, there)
	delete(c.m.keys[fold(path)], fold(name))
}

// check compares everything, by listing and by index.
func (c *machine) check(t *rapid.T) {
	got := map[string]bool{}
	err := c.hive.Walk(c.t.Context(), "", func(e hostregistry.Entry) error {
		got[fold(e.Path)] = true
		want := c.m.keys[fold(e.Path)]
		if len(want) != len(e.Values) || e.Damage != nil {
			return fmt.Errorf("key %q has the values %v instead of %v", e.Path, e.Values, want)
		}
		for _, v := range e.Values {
			if w := want[fold(v.Name)]; w.Name != v.Name || len(w.Data) != len(v.Data) {
				return fmt.Errorf("key %q has the value %v instead of %v", e.Path, v, w)
			}
		}
		return nil
	})
	if err != nil || len(got) != len(c.m.keys) {
		t.Fatalf("walked %d keys of %d: %v", len(got), len(c.m.keys), err)
	}
	key, err := c.root.OpenKey(c.t.Context(), c.top, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.root.CloseKey(c.t.Context(), key) }()
	for i, want := range append(c.m.children(c.m.root), "") {
		k, err := c.root.EnumKey(c.t.Context(), key, uint32(i))
		if k.Name != want || want == "" && !errors.Is(err, spoolerr.NoMoreItems) {
			t.Fatalf("subkey %d is %q instead of %q, %v", i, k.Name, want, err)
		}
	}
}

func TestRegistryAgainstModel(t *testing.T) {
	s := openStore(t)
	life := 0
	rapid.Check(t, func(rt *rapid.T) {
		life++
		hive := hostregistry.New(s, hostregistry.Options{}).Hive(fmt.Sprint("s", life))
		m := &model{keys: map[string]map[string]registry.Value{"": {}}, names: map[string]string{}, root: `top\mon`, most: 400}
		root := hive.Root(`Top\Mon`, hostregistry.Limit{Owner: "Mon", Bytes: m.most})
		top, err := root.Open(rt.Context())
		if err != nil {
			rt.Fatal(err)
		}
		m.create(`Top\Mon`)
		c := &machine{t: rt, hive: hive, root: root, top: top, m: m}
		rt.Repeat(map[string]func(*rapid.T){
			"create": c.createKey, "delete": c.deleteKey, "tree": c.deleteTree,
			"set": c.setValues, "unset": c.deleteValue, "": c.check,
		})
		_ = root.Close()
		_ = hive.DeleteTree(rt.Context(), "")
	})
}
