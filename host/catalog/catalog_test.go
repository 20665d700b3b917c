//go:build linux

package catalog

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestAddAndReopen(t *testing.T) {
	f := newFixture(t)
	m := f.add(t, "Acme Port")
	if m.ModuleVersion != "7" || m.ModuleName != "puppet\ufffd " || m.Path != self(t) || len(m.Digest) != 64 || m.Added.IsZero() {
		t.Errorf("added %+v", m)
	}
	f.add(t, "second/one")
	if problems := f.reopen(t); len(problems) > 0 {
		t.Errorf("problems %v", problems)
	}
	got, err := f.Get("ACME pORT")
	check(t, err)
	m.Env = nil // is not kept
	if !reflect.DeepEqual(got, m) {
		t.Errorf("got\n%+v, want\n%+v", got, m)
	}
	if list := f.List(); len(list) != 2 || list[0].Name != "Acme Port" || list[1].Name != "second/one" {
		t.Errorf("list %+v", list)
	}
	check(t, f.Remove(deadline(t), "acme port"))
	wantError(t, f.Remove(deadline(t), "acme port"), spoolerr.NotFound, spoolerr.CodeUnknownPrintMonitor)
	f.reopen(t)
	_, err = f.Get("Acme Port")
	wantError(t, err, spoolerr.NotFound, spoolerr.CodeUnknownPrintMonitor)
	f.add(t, "Acme Port")
}

func TestAddRefuses(t *testing.T) {
	f := newFixture(t)
	f.add(t, "Taken")
	good := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		name, path, digest, mode string
		kind                     spoolerr.Kind
		code                     spoolerr.Code
		want                     string
	}{
		"duplicate":     {name: "tAKEN", kind: spoolerr.Exists, code: spoolerr.CodePrintMonitorAlreadyInstalled, want: `"tAKEN"`},
		"empty":         {name: "", kind: spoolerr.Invalid, code: spoolerr.CodeInvalidName, want: "empty"},
		"control":       {name: "a\x07b", kind: spoolerr.Invalid, code: spoolerr.CodeInvalidName, want: "control character"},
		"newline":       {name: "a\nb", kind: spoolerr.Invalid, code: spoolerr.CodeInvalidName, want: "control character"},
		"backslash":     {name: `a\b`, kind: spoolerr.Invalid, code: spoolerr.CodeInvalidName, want: "backslash"},
		"comma":         {name: "a,b", kind: spoolerr.Invalid, code: spoolerr.CodeInvalidName, want: "comma"},
		"not UTF-8":     {name: "a\xff", kind: spoolerr.Invalid, code: spoolerr.CodeInvalidName, want: "UTF-8"},
		"300 letters":   {name: strings.Repeat("x", 300), kind: spoolerr.Invalid, code: spoolerr.CodeInvalidName, want: "too long"},
		"missing":       {name: "n", path: "/no/such/module", kind: spoolerr.NotFound, code: spoolerr.CodeModNotFound, want: `"n" was not added`},
		"relative":      {name: "n", path: "module", kind: spoolerr.Invalid, code: spoolerr.CodeInvalidParameter, want: "not absolute"},
		"no module":     {name: "n", path: "/bin/true", kind: spoolerr.Invalid, code: spoolerr.CodeInvalidPrintMonitor, want: "did not start"},
		"wrong digest":  {name: "n", digest: good, kind: spoolerr.Precondition, code: spoolerr.CodeInvalidPrintMonitor, want: good},
		"no digest":     {name: "n", digest: "zz", kind: spoolerr.Precondition, code: spoolerr.CodeInvalidPrintMonitor, want: "zz"},
		"wrong kind":    {name: "n", mode: "pointprint", kind: spoolerr.Invalid, code: spoolerr.CodeInvalidPrintMonitor, want: `kind "pointprint"`},
		"wrong service": {name: "n", mode: "neither", kind: spoolerr.Invalid, code: spoolerr.CodeInvalidPrintMonitor, want: "InitializePrintMonitor2"},
	} {
		t.Run(name, func(t *testing.T) {
			path, as := c.path, c.mode
			if path == "" {
				path = self(t)
			}
			if as == "" {
				as = "monitor"
			}
			_, err := f.Add(deadline(t), c.name, path, nil, c.digest, mode(as))
			wantError(t, err, c.kind, c.code)
			if err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not contain %q", err, c.want)
			}
		})
	}
	if list := f.List(); len(list) != 1 {
		t.Errorf("list %+v", list)
	}
}

func TestAddWithDigest(t *testing.T) {
	f := newFixture(t)
	digest, err := images.Digest(self(t))
	check(t, err)
	_, err = f.Add(deadline(t), "n", self(t), nil, strings.ToUpper(digest), mode("monitor"))
	check(t, err)
}

// TestAddAtOnce: two operators, one name; one of them wins.
func TestAddAtOnce(t *testing.T) {
	f := newFixture(t)
	errs := make(chan error, 4)
	var all sync.WaitGroup
	for _, name := range []string{"same", "SAME", "Same", "sAME"} {
		all.Go(func() {
			_, err := f.Add(deadline(t), name, self(t), nil, "", mode("monitor"))
			errs <- err
		})
	}
	all.Wait()
	close(errs)
	won := 0
	for err := range errs {
		if err == nil {
			won++
			continue
		}
		wantError(t, err, spoolerr.Exists, spoolerr.CodePrintMonitorAlreadyInstalled)
	}
	if won != 1 || len(f.List()) != 1 {
		t.Errorf("%d won, list %+v", won, f.List())
	}
}

func TestBuiltins(t *testing.T) {
	builtin := Monitor{Name: "Local Port", Path: self(t), ModuleName: "local"}
	f := newFixture(t, builtin)
	m, err := f.Get("local port")
	check(t, err)
	if !m.Builtin || len(m.Digest) != 64 {
		t.Errorf("builtin %+v", m)
	}
	wantError(t, f.Remove(deadline(t), "LOCAL port"), spoolerr.Precondition, spoolerr.CodeNotSupported)
	_, err = f.Add(deadline(t), "Local port", self(t), nil, "", mode("monitor"))
	wantError(t, err, spoolerr.Exists, spoolerr.CodePrintMonitorAlreadyInstalled)
	f.add(t, "Later")
	if problems := f.reopen(t, builtin, Monitor{Name: "later", Path: self(t)}); len(problems) > 0 {
		t.Errorf("problems %v", problems)
	}
	if m, err := f.Get("Later"); err != nil || !m.Builtin {
		t.Errorf("a builtin of the name comes first: %+v, %v", m, err)
	}
}

// TestDamagedRecords are reported and left alone; the others are read.
func TestDamagedRecords(t *testing.T) {
	f := newFixture(t)
	f.add(t, "good")
	check(t, f.store.Update(deadline(t), func(tx store.Tx) error {
		for key, value := range map[string]string{
			"a": "", "b": "not json", "c": "{}", "d": `{"name":"other"}`, "e": `{"name":1}`, "f": "null",
		} {
			if err := tx.Put(monitorPrefix+key, []byte(value)); err != nil {
				return err
			}
		}
		return nil
	}))
	problems := f.reopen(t)
	if len(problems) != 6 {
		t.Errorf("problems %v", problems)
	}
	for _, p := range problems {
		if spoolerr.KindOf(p.Err) != spoolerr.Corrupt {
			t.Errorf("problem %s: %v", p.Key, p.Err)
		}
	}
	if list := f.List(); len(list) != 1 || list[0].Name != "good" {
		t.Errorf("list %+v", list)
	}
}

// TestIncarnationsAtOnce: those who ask at the same time share what is taken.
func TestIncarnationsAtOnce(t *testing.T) {
	f := newFixture(t)
	const many = 200
	var mu sync.Mutex
	seen := make(map[uint64]bool)
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			n, err := f.incarnations.next(deadline(t), f.store)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[n] || n == 0 || n > many {
				t.Errorf("number %d: %v", n, err)
			}
			seen[n] = true
		})
	}
	all.Wait()
}

// TestIncarnations: no two processes have a number in common, across restarts of the
// host; better none than a number twice.
func TestIncarnations(t *testing.T) {
	f := newFixture(t)
	last := uint64(0)
	for range 3 {
		for range 100 { // more than are taken from the store at once
			n, err := f.incarnations.next(deadline(t), f.store)
			check(t, err)
			if n <= last {
				t.Errorf("%d after %d", n, last)
			}
			last = n
		}
		f.reopen(t)
	}
	check(t, f.store.Update(deadline(t), func(tx store.Tx) error { return tx.Put("catalog/incarnation", []byte{1}) }))
	f.reopen(t)
	_, err := f.incarnations.next(deadline(t), f.store)
	wantError(t, err, spoolerr.Corrupt, spoolerr.CodeInvalidData)
}
