package api

import (
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// FuzzSized is the size protocol of printer data: ERROR_MORE_DATA if, and only if, a caller
// who says how much room there is has less than is needed.
func FuzzSized(f *testing.F) {
	for _, seed := range [][2]uint32{{0, 0}, {0, 1}, {4, 4}, {1<<32 - 1, 1<<32 - 1}} {
		f.Add(true, seed[0], seed[1])
		f.Add(false, seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, says bool, room, needed uint32) {
		asked := &room
		if !says {
			asked = nil
		}
		if more := sized(asked, needed) == uint32(spoolerr.CodeMoreData); more != (says && room < needed) {
			t.Errorf("room %v of %d, needed %d: %v", says, room, needed, more)
		}
	})
}
