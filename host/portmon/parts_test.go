package portmon

import (
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/wire"
)

// TestParts: long parts are for quick devices only, and one that becomes slow gets short
// ones again.
func TestParts(t *testing.T) {
	var p parts
	if n := p.next(1 << 40); n != firstPart {
		t.Errorf("the first part has %d bytes", n)
	}
	for range 20 {
		p.took(time.Millisecond)
	}
	if n := p.next(1 << 40); n != wire.MaxRange {
		t.Errorf("a quick device gets %d bytes at once", n)
	}
	if n := p.next(10); n != 10 {
		t.Errorf("%d of 10 bytes that are left", n)
	}
	p.took(quickPart)
	if n := p.next(1 << 40); n != wire.MaxRange {
		t.Errorf("after one that was neither quick nor slow: %d bytes", n)
	}
	for range 20 {
		p.took(time.Minute)
	}
	if n := p.next(1 << 40); n != firstPart {
		t.Errorf("a slow device gets %d bytes at once", n)
	}
}
