package api

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/spoolhost/spoolhost/sdk/registry"
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

// FuzzSizedEnumeration has a caller enumerate as one on Windows does: with no room, it hears
// how much is needed; with a byte less it hears so again, and gets nothing; with just so much
// it gets all. How much that is, is counted here as the structures are laid out.
func FuzzSizedEnumeration(f *testing.F) {
	f.Add("Directory", []byte("Color"), uint8(3))
	f.Add("", []byte{}, uint8(0))
	f.Add("\U0001f5a8\u00e9", []byte{0, 1, 2}, uint8(1))
	f.Add("\xff", []byte{0}, uint8(40))
	f.Fuzz(func(t *testing.T, name string, data []byte, n uint8) {
		var values []registry.Value
		var keys []string
		laidOut, multi := 0, 2 // the end of REG_MULTI_SZ
		for i := range int(n) {
			one := fmt.Sprint(name, i)
			values, keys = append(values, registry.Bytes(one, data)), append(keys, one)
			wide := 2 * (len(utf16.Encode([]rune(one))) + 1)
			laidOut, multi = laidOut+40+wide+len(data), multi+wide
		}
		for _, room := range []int{-1, 0, laidOut - 1, laidOut, laidOut + 1} {
			r := sizedValues(roomOf(room), values, 7)
			want := sizedWant(room, laidOut)
			if r.GetNeeded() != uint32(laidOut) || r.GetStatus() != want || r.GetChangeId() != 7 {
				t.Errorf("values, room %d of %d: %v", room, laidOut, r)
			}
			for i, v := range r.GetValues() {
				if v.GetName() != values[i].Name || !bytes.Equal(v.GetData(), data) {
					t.Errorf("value %d: %v", i, v)
				}
			}
			if want == 0 && len(r.GetValues()) != len(values) || want != 0 && len(r.GetValues()) != 0 {
				t.Errorf("room %d of %d: %d values of %d", room, laidOut, len(r.GetValues()), len(values))
			}
		}
		for _, room := range []int{-1, 0, multi - 1, multi, multi + 1} {
			r := sizedKeys(roomOf(room), keys, 7)
			want := sizedWant(room, multi)
			if r.GetNeeded() != uint32(multi) || r.GetStatus() != want || (want == 0) != slices.Equal(r.GetKeys(), keys) && n > 0 {
				t.Errorf("keys, room %d of %d: %v", room, multi, r)
			}
		}
	})
}

// roomOf gives what a caller says of its room; below 0 it says nothing.
func roomOf(room int) *uint32 {
	if room < 0 {
		return nil
	}
	u := uint32(room)
	return &u
}

func sizedWant(room, needed int) uint32 {
	if room >= 0 && room < needed {
		return uint32(spoolerr.CodeMoreData)
	}
	return 0
}
