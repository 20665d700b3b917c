package payload

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

func make1(t *testing.T, d Document) []byte {
	t.Helper()
	b, err := io.ReadAll(NewSource().Reader(d))
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != d.Size {
		t.Fatalf("%d bytes, want %d", len(b), d.Size)
	}
	return b
}

func TestCheckFindsEveryFault(t *testing.T) {
	doc := Document{Run: 7, ID: 12, Queue: 3, Size: 100_000}
	good := make1(t, doc)
	flipped := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	other := make1(t, Document{Run: 7, ID: 13, Queue: 3, Size: 100_000})
	for _, c := range []struct {
		name  string
		came  []byte
		fault Fault
		known bool
	}{
		{"as sent", good, Good, true},
		{"nothing", nil, Empty, false},
		{"half a header", good[:20], BrokenOff, false},
		{"half a document", good[:50_000], BrokenOff, true},
		{"all but the last byte", good[:len(good)-1], BrokenOff, true},
		{"a bit of the id", flipped(20), Corrupt, true},
		{"a bit in the middle", flipped(50_000), Corrupt, true},
		{"a bit of the last byte", flipped(len(good) - 1), Corrupt, true},
		{"the tail of another", append(bytes.Clone(good[:50_000]), other[50_000:]...), Corrupt, true},
		{"two in one", append(bytes.Clone(good), other...), TooLong, true},
		{"something else", bytes.Repeat([]byte("%!PS"), 30), Foreign, false},
	} {
		for _, step := range []int{1, 7, headerSize, 64 << 10, 1 << 20} {
			var check Check
			whole := false
			for rest := c.came; len(rest) > 0; {
				n := min(step, len(rest))
				whole = check.Write(rest[:n])
				rest = rest[n:]
			}
			got, known, fault := check.End()
			if fault != c.fault || known != c.known {
				t.Errorf("%s in steps of %d: %q (known %v), want %q", c.name, step, fault, known, c.fault)
			}
			if c.fault == Good && (got != doc || !whole) {
				t.Errorf("%s: %+v (whole %v), want %+v", c.name, got, whole, doc)
			}
		}
	}
}

func TestReaderInAnySteps(t *testing.T) {
	for _, size := range []int64{MinSize, MinSize + 1, 4096, 3<<20 + 5} {
		d := Document{Run: 1, ID: 99, Size: size}
		want := make1(t, d)
		got, err := io.ReadAll(iotest.HalfReader(NewSource().Reader(d)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: read in steps it is another document (%v)", size, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	good, _ := io.ReadAll(NewSource().Reader(Document{Run: 1, ID: 2, Queue: 3, Size: 200}))
	f.Add(good, 7)
	f.Add([]byte(magic), 1)
	f.Fuzz(func(t *testing.T, came []byte, step int) {
		var check Check
		for rest := came; len(rest) > 0; {
			n := min(max(step, 1), len(rest))
			check.Write(rest[:n])
			rest = rest[n:]
		}
		if d, _, fault := check.End(); fault == Good && int64(len(came)) != d.Size {
			t.Errorf("%d bytes pass for a document of %d", len(came), d.Size)
		}
	})
}
