package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func appended(t testing.TB, j *Journal, keys ...string) {
	t.Helper()
	for _, k := range keys {
		if err := j.Append(AppendWrite(nil, k, []byte("value of "+k))); err != nil {
			t.Fatal(err)
		}
	}
}

func loaded(t *testing.T, path string, id ID) (keys []string, generation uint64) {
	t.Helper()
	j := New(path, id, 1<<20)
	generation, err := j.Load(func(key string, value []byte) {
		if string(value) != "value of "+key {
			t.Errorf("%s has the value %q", key, value)
		}
		keys = append(keys, key)
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, generation
}

// What an earlier generation left behind the records of a later one is not among them.
func TestGenerations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := New(path, ID{1}, 1<<20)
	j.Begin(1)
	appended(t, j, "a", "b", "c", "d")
	j.Begin(2)
	if keys, generation := loaded(t, path, ID{1}); len(keys) != 4 || generation != 1 {
		t.Errorf("before the first record of generation 2: %q of %d", keys, generation)
	}
	appended(t, j, "x")
	if keys, generation := loaded(t, path, ID{1}); len(keys) != 1 || keys[0] != "x" || generation != 2 {
		t.Errorf("%q of generation %d", keys, generation)
	}
	if err := j.Remove(); err != nil {
		t.Fatal(err)
	}
	if keys, generation := loaded(t, path, ID{1}); len(keys) != 0 || generation != 0 {
		t.Errorf("of no file: %q of %d", keys, generation)
	}
}

// One who loads goes on behind what is there.
func TestGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := New(path, ID{1}, 1<<20)
	j.Begin(7)
	appended(t, j, "a", "b")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	again := New(path, ID{1}, 1<<20)
	if _, err := again.Load(func(string, []byte) {}); err != nil {
		t.Fatal(err)
	}
	appended(t, again, "c")
	_ = again.Close()
	if keys, generation := loaded(t, path, ID{1}); len(keys) != 3 || keys[2] != "c" || generation != 7 {
		t.Errorf("%q of generation %d", keys, generation)
	}
}

func FuzzLoad(f *testing.F) {
	path := filepath.Join(f.TempDir(), "j")
	j := New(path, ID{1}, 1<<20)
	j.Begin(3)
	appended(f, j, "a", "b")
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	_ = j.Close()
	good = bytes.TrimRight(good, "\x00")
	f.Add(good)
	f.Add(good[:headLen])
	f.Add([]byte(headMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		j := New(path, ID{1}, 1<<20)
		n := 0
		generation, err := j.Load(func(key string, _ []byte) {
			if key == "" {
				t.Error("an empty key")
			}
			n++
		})
		if (err != nil || generation == 0) && n > 0 && err == nil {
			t.Errorf("%d writes of no generation", n)
		}
	})
}
