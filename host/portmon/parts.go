package portmon

import (
	"time"

	"github.com/spoolhost/spoolhost/sdk/wire"
)

// parts sizes the parts of a document that goes by descriptor. What a module that dies has
// taken of a part nobody can tell, and while it works on one nobody sees how far it is: so
// the first is short, and the next are longer only as long as the device is quick. The zero
// value is ready.
type parts struct{ size int64 }

const (
	firstPart = 256 << 10
	quickPart = 50 * time.Millisecond
	slowPart  = 500 * time.Millisecond
)

// next is the length of the next part, of so many bytes left.
func (p *parts) next(left int64) int64 {
	if p.size == 0 {
		p.size = firstPart
	}
	return min(left, p.size)
}

// took learns how long the device was busy with a part, or with what it took of it.
func (p *parts) took(d time.Duration) {
	switch {
	case d < quickPart:
		p.size = min(2*p.size, wire.MaxRange)
	case d > slowPart:
		p.size = max(p.size/2, firstPart)
	}
}
