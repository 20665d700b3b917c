package ports

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plain keeps one setting.
type plain struct{}

func (plain) Values(c portconfig.Config) ([]registry.Value, error) {
	r := portconfig.Read(c)
	v := registry.String("V", r.Text("v", "none"))
	return []registry.Value{v, registry.Uint32("N", 1)}, r.Err()
}

func (plain) Settings(s Stored) (map[string]string, error) {
	v, err := s.Text("v")
	return map[string]string{"v": v}, err
}

func (plain) Merge(current, changed map[string]string) map[string]string {
	return Overlay(current, changed)
}

func (plain) Info(c portconfig.Config) spool.PortInfo {
	return spool.PortInfo{Name: c.Name, Description: c.Settings["v"]}
}

func newBook(t *testing.T) (*Book, *montest.Registry) {
	reg := montest.NewRegistry()
	t.Cleanup(func() {
		if reg.Open() != 0 {
			t.Error("registry keys left open")
		}
	})
	return NewBook(reg.Root(), plain{}), reg
}

func TestFailedAddLeavesNothing(t *testing.T) {
	b, reg := newBook(t)
	ctx, cancel := context.WithCancel(t.Context())
	broken := spoolerr.New(spoolerr.Unavailable, 0, "host is busy")
	reg.Fail(func(op, _ string) error {
		if op != "SetValue" {
			return nil
		}
		cancel() // nor does it when the caller has given up meanwhile
		return broken
	})
	err := b.Add(ctx, portconfig.Config{Name: "p"})
	if !errors.Is(err, spoolerr.Unavailable) || !strings.Contains(err.Error(), `"p"`) {
		t.Error(err)
	}
	reg.Fail(nil)
	k, err := reg.Root().OpenKey(t.Context(), "Ports")
	if err != nil {
		t.Fatal(err)
	}
	defer k.CloseKey(t.Context())
	if info, _ := k.QueryInfoKey(t.Context()); info.SubKeys != 0 {
		t.Error("a key is left")
	}
}

func TestHalfAddedPortCanBeAdded(t *testing.T) {
	b, reg := newBook(t)
	k, _, err := reg.Root().CreateKey(t.Context(), `Ports\p`)
	if err != nil {
		t.Fatal(err)
	}
	k.CloseKey(t.Context())
	if infos, err := b.Enum(t.Context()); err != nil || len(infos) != 0 {
		t.Errorf("%v %v", infos, err)
	}
	if err := b.Add(t.Context(), portconfig.Config{Name: "p"}); err != nil {
		t.Error(err)
	}
}

func TestOneOfManyAddsWins(t *testing.T) {
	b, _ := newBook(t)
	var won atomic.Int32
	var all sync.WaitGroup
	for _, name := range []string{"p", "P", "p", "P"} {
		all.Go(func() {
			switch err := b.Add(t.Context(), portconfig.Config{Name: name}); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, spoolerr.CodeAlreadyExists):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d adds succeeded", won.Load())
	}
}

func TestRegistryFailuresAreNotEmptyLists(t *testing.T) {
	b, reg := newBook(t)
	if err := b.Add(t.Context(), portconfig.Config{Name: "p"}); err != nil {
		t.Fatal(err)
	}
	for _, failing := range []string{"OpenKey", "EnumKey", "EnumValue"} {
		reg.Fail(func(op, _ string) error {
			if op == failing {
				return spoolerr.New(spoolerr.Unavailable, 0, "host is busy")
			}
			return nil
		})
		if _, err := b.Enum(t.Context()); !errors.Is(err, spoolerr.Unavailable) {
			t.Errorf("%s: Enum gives %v", failing, err)
		}
		if failing == "EnumKey" {
			continue
		}
		for what, err := range map[string]error{
			"Add":       b.Add(t.Context(), portconfig.Config{Name: "p"}),
			"Configure": b.Configure(t.Context(), portconfig.Config{Name: "p"}),
			"Delete":    b.Delete(t.Context(), "p"),
		} {
			if !errors.Is(err, spoolerr.Unavailable) {
				t.Errorf("%s: %s gives %v", failing, what, err)
			}
		}
	}
}

func TestUseAndShutdown(t *testing.T) {
	b, _ := newBook(t)
	if err := b.Use("p", nothing{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Use("P", nothing{}); !errors.Is(err, spoolerr.Busy) {
		t.Error(err)
	}
	b.Release("P")
	aborted := &counter{}
	if err := b.Use("p", aborted); err != nil {
		t.Fatal(err)
	}
	b.Shutdown()
	if aborted.n.Load() != 1 || !errors.Is(b.Use("q", nothing{}), spoolerr.BadHandle) || b.Alive() == nil {
		t.Error("not shut down")
	}
}

type counter struct{ n atomic.Int32 }

func (c *counter) Abort() { c.n.Add(1) }

// TestOpenAfterList: who opens the ports after they were listed reads none of them, until
// something is changed, and each but once.
func TestOpenAfterList(t *testing.T) {
	b, reg := newBook(t)
	for _, name := range []string{"p", "q"} {
		if err := b.Add(t.Context(), portconfig.Config{Name: name, Settings: map[string]string{"v": name}}); err != nil {
			t.Fatal(err)
		}
	}
	var reads atomic.Int32
	reg.Fail(func(string, string) error { reads.Add(1); return nil })
	read := func(name, want string, from bool) {
		t.Helper()
		reads.Store(0)
		b.recent.mu.Lock()
		b.recent.began = b.recent.began.Add(-recentFor) // as a second later
		b.recent.mu.Unlock()
		c, err := b.Config(t.Context(), name)
		if err != nil || c.Settings["v"] != want || reads.Load() > 0 != from {
			t.Errorf("%s: %v, %v; the registry was asked %d times", name, c, err, reads.Load())
		}
	}
	list := func() {
		t.Helper()
		if infos, err := b.Enum(t.Context()); err != nil || len(infos) != 2 {
			t.Fatalf("%v, %v", infos, err)
		}
	}
	read("p", "p", true)
	list()
	read("P", "p", false)
	read("p", "p", true)
	if err := b.Configure(t.Context(), portconfig.Config{Name: "q", Settings: map[string]string{"v": "new"}}); err != nil {
		t.Fatal(err)
	}
	read("q", "new", true)
	list()
	read("q", "new", false)
	if err := b.Delete(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Config(t.Context(), "p"); !errors.Is(err, spoolerr.NotFound) {
		t.Errorf("a port that was deleted since: %v", err)
	}
}
