//go:build unix

package host

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/sdk/icc/icctest"
	"github.com/spoolhost/spoolhost/sdk/registry"
)

var update = flag.Bool("update", false, "write the golden files")

// TestHpColor is the example of "Downloading Queue-Specific Files": what the client does,
// step by step, and what the modules on both sides are called with.
func TestHpColor(t *testing.T) {
	p := newPair(t)
	var b strings.Builder
	b.WriteString("# The ten steps, as MyClient performs them; step 5 is the server's\n\n")
	for _, s := range p.add() {
		b.WriteString(s.String() + "\n")
	}
	record, err := os.ReadFile(p.record)
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n# What Mscms.dll and the driver were called with, on both sides, in order\n\n" + string(record))
	// The example's client has its driver directory elsewhere.
	got := strings.ReplaceAll(b.String(), p.client.connections.Dir(), `C:\Winnt\System32\Spool\Drivers`)
	got = strings.ReplaceAll(got, "/", `\`)
	golden(t, filepath.Join("testdata", "hpcolor.golden"), got)
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it is\n%s\nand should be\n%s", got, want)
	}
}

func TestASecondConnectionMovesNothing(t *testing.T) {
	p := newPair(t)
	p.add()
	moved := &counting{}
	if _, _, err := p.client.connections.Refresh(t.Context(), p.name(), nil, moved); err != nil {
		t.Fatal(err)
	}
	if moved.bytes != 0 {
		t.Errorf("a refresh moved %d bytes", moved.bytes)
	}
	// Another server of the same address has the same files.
	other := client.Name{Server: "NTPRINT2", Printer: "HpColor"}
	if _, _, err := p.client.connections.Add(t.Context(), other, []string{p.address()}, moved); err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(p.client.connections.Dir(), "Color", "Hpclrlsr.icm")
	for _, n := range []client.Name{p.name(), other} {
		if _, err := os.Stat(profile); err != nil {
			t.Errorf("before %s is deleted: %v", n, err)
		}
		if _, err := p.client.connections.Delete(t.Context(), n, nil); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(p.client.connections.Dir()); len(left) != 0 {
		t.Errorf("after the last: %v", left)
	}
}

type counting struct{ bytes int64 }

func (c *counting) Step(client.Step)               {}
func (c *counting) Files(_, _ int, bytes, _ int64) { c.bytes = bytes }

// TestAChangeReachesTheClient changes the profile on the server.
func TestAChangeReachesTheClient(t *testing.T) {
	p := newPair(t)
	p.add()
	changed := icctest.Profile("another one, which is longer")
	p.put(`Color\Other.icm`, changed)
	p.set(registry.Strings("Files", "Other.icm"))
	await(t, "the change", func() bool {
		got, err := os.ReadFile(filepath.Join(p.client.connections.Dir(), "Color", "Other.icm"))
		return err == nil && string(got) == string(changed)
	})
	await(t, "the old file to go", func() bool {
		_, err := os.Stat(filepath.Join(p.client.connections.Dir(), "Color", "Hpclrlsr.icm"))
		return os.IsNotExist(err)
	})
	await(t, "the events", func() bool {
		record, _ := os.ReadFile(p.record)
		return strings.Count(string(record), "FILES_CHANGED") == 2 && strings.Count(string(record), "CACHE_REFRESH") == 2
	})
}
