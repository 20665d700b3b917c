//go:build unix

package host

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/icc/icctest"
)

// TestADownloadThatIsCutOff: over a network that ends each connection after a megabyte, a file
// comes in pieces, and what has come does not come again, but for the one message of 128 KiB
// that each cut is in.
func TestADownloadThatIsCutOff(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	profile := icctest.Profile(strings.Repeat("x", 8<<20))
	p.put(`Color\Hpclrlsr.icm`, profile)
	wire := newCable(t, p.address())
	wire.limit.Store(1 << 20)
	moved := &counting{}
	if _, _, err := p.client.connections.Add(t.Context(), p.name(), []string{wire.address()}, moved); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(p.client.connections.Dir(), "Color", "Hpclrlsr.icm"))
	if err != nil || !bytes.Equal(got, profile) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	const (
		message = 128 << 10
		others  = 64 << 10 // headers, and the answers to all other calls
	)
	cuts, most := wire.cuts.Load(), int64(len(profile))+wire.cuts.Load()*message+others
	if cuts < 8 || wire.down.Load() > most {
		t.Errorf("%d bytes came in all, with %d cuts; the most is %d", wire.down.Load(), cuts, most)
	}
	if moved.bytes != int64(len(profile))+23 { // and the driver's file
		t.Errorf("%d bytes of files were written, of %d", moved.bytes, len(profile))
	}
	t.Logf("%d bytes of a file of %d, with %d cuts", wire.down.Load(), len(profile), cuts)
	before := wire.down.Load()
	if _, _, err := p.client.connections.Refresh(t.Context(), p.name(), nil, nil); err != nil {
		t.Fatal(err)
	}
	if again := wire.down.Load() - before; again > others {
		t.Errorf("a refresh without change brought %d bytes", again)
	}
}
