package supervisor

import (
	"math"
	"strconv"
	"testing"
)

func TestLimitsOver(t *testing.T) {
	base := Limits{User: "lp", MemoryBytes: 1 << 30, Processes: 100, Files: 200}
	if got := (Limits{}).Over(base); got != base {
		t.Errorf("nothing over the base gives %+v", got)
	}
	own := Limits{User: "acme", Files: 300}
	if got, want := own.Over(base), (Limits{User: "acme", MemoryBytes: 1 << 30, Processes: 100, Files: 300}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLimitsCheck(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		ok     bool
	}{
		"none":          {Limits{}, true},
		"usual":         {Limits{User: "lp", MemoryBytes: 512 << 20, Processes: 64, Files: 256}, true},
		"little memory": {Limits{MemoryBytes: 512}, false},
		"few processes": {Limits{Processes: 1}, false},
		"few files":     {Limits{Files: 3}, false},
		"negative":      {Limits{MemoryBytes: -1}, false},
	} {
		if err := c.limits.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "65536": 65536, "1KiB": 1 << 10, "512MiB": 512 << 20, " 2 GiB ": 2 << 30, "7TiB": 7 << 40,
		"9223372036854775807": math.MaxInt64,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "0", "-1", "x", "1.5GiB", "10MB", "10mib", "MiB", "1 1", "1MiBMiB", "9223372036854775808", "8388608TiB", "0x10",
	} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is taken as %d", text, got)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("512MiB")
	f.Add("9223372036854775807KiB")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if err != nil {
			return
		}
		if n <= 0 {
			t.Fatalf("%q is taken as %d", text, n)
		}
		if again, err := ParseSize(strconv.FormatInt(n, 10)); err != nil || again != n {
			t.Errorf("%q is %d, read again %d, %v", text, n, again, err)
		}
	})
}
