package confine

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type treeBench struct {
	*Tree
	t       *testing.T
	outside string
}

func newTree(t *testing.T) *treeBench {
	t.Helper()
	base := t.TempDir()
	outside := filepath.Join(base, "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	tree, err := OpenTree(filepath.Join(base, "drivers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = tree.Close()
		if left, _ := os.ReadDir(outside); len(left) != 0 {
			t.Errorf("something was written outside: %v", left)
		}
	})
	return &treeBench{Tree: tree, t: t, outside: outside}
}

// put writes a file as a download does.
func (b *treeBench) put(path Rel, name, content string) error {
	d, err := b.Open(path, true)
	if err != nil {
		return err
	}
	defer d.Close()
	f, err := d.Partial("x")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		return err
	}
	return finish(d, f, name)
}

// finish gives the unfinished file x its name.
func finish(d *Dir, f *os.File, name string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return d.Finish("x", name, info)
}

func (b *treeBench) get(path Rel, name string) (string, error) {
	d, err := b.Open(path, false)
	if err != nil {
		return "", err
	}
	defer d.Close()
	f, err := d.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	return string(data), err
}

func TestTreeIsWithoutRegardToCase(t *testing.T) {
	b := newTree(t)
	if err := b.put(Rel{"Color"}, "Hpclrlsr.icm", "one"); err != nil {
		t.Fatal(err)
	}
	if err := b.put(Rel{"COLOR"}, "HPCLRLSR.ICM", "two"); err != nil {
		t.Fatal(err)
	}
	if s, err := b.get(Rel{"color"}, "hpclrlsr.icm"); s != "two" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	entries, _ := os.ReadDir(filepath.Join(b.Dir(), "Color"))
	if all, _ := os.ReadDir(b.Dir()); len(all) != 1 || len(entries) != 1 || entries[0].Name() != "Hpclrlsr.icm" {
		t.Errorf("%v, %v", all, entries)
	}
	d, err := b.Open(Rel{"Color"}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := errors.Join(d.Remove("hpclrlsr.ICM"), d.Remove("hpclrlsr.ICM")); err != nil {
		t.Error(err)
	}
	b.Prune(Rel{"Color"})
	if all, _ := os.ReadDir(b.Dir()); len(all) != 0 {
		t.Errorf("left: %v", all)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	for name, plant := range map[string]func(b *treeBench) error{
		"directory outside": func(b *treeBench) error { return os.Symlink(b.outside, filepath.Join(b.Dir(), "Color")) },
		"directory relative": func(b *treeBench) error {
			return os.Symlink("../outside", filepath.Join(b.Dir(), "Color"))
		},
		"directory inside": func(b *treeBench) error {
			return errors.Join(os.Mkdir(filepath.Join(b.Dir(), "x64"), 0o700), os.Symlink("x64", filepath.Join(b.Dir(), "Color")))
		},
		"file in its place": func(b *treeBench) error { return os.WriteFile(filepath.Join(b.Dir(), "Color"), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newTree(t)
			if err := plant(b); err != nil {
				t.Fatal(err)
			}
			if err := b.put(Rel{"Color"}, "a", "x"); !errors.Is(err, spoolerr.Denied) {
				t.Errorf("%v", err)
			}
			if err := b.put(Rel{"color"}, "a", "x"); !errors.Is(err, spoolerr.Denied) {
				t.Errorf("in another case: %v", err)
			}
			if left, _ := os.ReadDir(filepath.Join(b.Dir(), "x64")); len(left) != 0 {
				t.Errorf("written through the link: %v", left)
			}
		})
	}
}

func TestLinksInTheFilesPlace(t *testing.T) {
	b := newTree(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.Dir(), "Color")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Symlink(secret, filepath.Join(dir, "a")), os.Symlink(secret, filepath.Join(dir, ".part-x"))); err != nil {
		t.Fatal(err)
	}
	if s, err := b.get(Rel{"Color"}, "a"); !errors.Is(err, spoolerr.Denied) {
		t.Errorf("read %q through a link, %v", s, err)
	}
	if err := b.put(Rel{"Color"}, "a", "profile"); err != nil { // replaces both links
		t.Fatal(err)
	}
	if s, err := b.get(Rel{"Color"}, "a"); s != "profile" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if data, _ := os.ReadFile(secret); string(data) != "secret" {
		t.Errorf("the file outside is %q now", data)
	}
}

// TestADirectoryThatBecomesALink exchanges a directory for a link while files are written:
// each write lands in the directory or is refused.
func TestADirectoryThatBecomesALink(t *testing.T) {
	b := newTree(t)
	dir, aside := filepath.Join(b.Dir(), "Color"), filepath.Join(b.Dir(), "aside")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var attacker sync.WaitGroup
	attacker.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(dir, aside)
			_ = os.Symlink(b.outside, dir)
			_ = os.Remove(dir)
			_ = os.Rename(aside, dir)
		}
	})
	written := 0
	for range 500 {
		if b.put(Rel{"Color"}, "a", "x") == nil {
			written++
		}
	}
	close(stop)
	attacker.Wait()
	t.Logf("%d of 500 written", written)
}

func TestAPartialFileIsGoneOnWith(t *testing.T) {
	b := newTree(t)
	d, err := b.Open(Rel{"Color"}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var f *os.File
	for _, part := range []string{"ab", "cd"} {
		if f, err = d.Partial("x"); err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, _ = f.Seek(0, io.SeekEnd)
		_, _ = f.WriteString(part)
	}
	if err := finish(d, f, "a"); err != nil {
		t.Fatal(err)
	}
	if s, err := b.get(Rel{"Color"}, "a"); s != "abcd" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if f, err := d.Partial("y"); err != nil {
		t.Fatal(err)
	} else {
		_ = f.Close()
	}
	if err := b.Sweep(time.Hour, time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(b.Dir(), "Color")); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	if _, err := b.get(Rel{"none"}, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
