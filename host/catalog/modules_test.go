//go:build linux

package catalog

import (
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

func (f *fixture) modules(t *testing.T, builtins ...Module) (*Modules, []Problem) {
	t.Helper()
	s, problems, err := OpenModules(deadline(t), f.Catalog, builtins)
	check(t, err)
	return s, problems
}

func TestModulesSurviveARestart(t *testing.T) {
	f := newFixture(t)
	s, _ := f.modules(t)
	ui := Module{Name: "acmeui", Kind: wire.KindMonitorUI, Path: self(t), Args: []string{"-test.run=^$"}, Env: []string{mode("monitorui")}}
	added, err := s.Add(deadline(t), ui)
	check(t, err)
	if added.ModuleName != "pages" || added.ModuleVersion != "2" || added.Digest == "" || added.Added.IsZero() {
		t.Errorf("added %+v", added)
	}
	_, err = s.Add(deadline(t), Module{Name: "ACMEUI", Kind: ui.Kind, Path: ui.Path, Args: ui.Args, Env: ui.Env})
	wantError(t, err, spoolerr.Exists, spoolerr.CodeAlreadyExists)
	ui.Name, ui.Env = "other", []string{mode("pointprint")}
	_, err = s.Add(deadline(t), ui)
	wantError(t, err, spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor)
	f.reopen(t)
	again, problems := f.modules(t)
	if m, err := again.Get("AcmeUI"); err != nil || m.Digest != added.Digest || len(problems) > 0 {
		t.Errorf("after a restart: %+v %v %v", m, err, problems)
	}
	check(t, again.Remove(deadline(t), "acmeui"))
	f.reopen(t)
	if again, _ = f.modules(t); len(again.List()) != 0 {
		t.Errorf("removed, and there: %+v", again.List())
	}
}

func TestDamagedModuleRecords(t *testing.T) {
	f := newFixture(t)
	check(t, f.store.Update(deadline(t), func(tx store.Tx) error {
		if err := tx.Put(modulePrefix+"broken", []byte("{")); err != nil {
			return err
		}
		return tx.Put(modulePrefix+"one", []byte(`{"name":"two"}`))
	}))
	if s, problems := f.modules(t); len(problems) != 2 || len(s.List()) != 0 {
		t.Errorf("problems %v, modules %+v", problems, s.List())
	}
}

func TestModuleNames(t *testing.T) {
	for _, name := range []string{"a", "tcpmonui", "acme-ui_2.0", strings.Repeat("a", 64)} {
		check(t, CheckModuleName(name))
	}
	for _, name := range []string{"", ".", "..", ".ui", "/bin/sh", `\\srv\ui`, "c:ui", "a b", "ü", "a\x00", strings.Repeat("a", 65)} {
		wantError(t, CheckModuleName(name), spoolerr.Invalid, spoolerr.CodeInvalidName)
	}
}
