package share_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type fixture struct {
	*share.Share
	dir   string
	store store.Store
}

func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{dir: filepath.Join(t.TempDir(), "print$")}
	var err error
	f.store, err = store.OpenBolt(filepath.Join(t.TempDir(), "db"), store.Options{})
	check(t, err)
	t.Cleanup(func() { _ = f.store.Close() })
	f.reopen(t)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func (f *fixture) reopen(t *testing.T) {
	t.Helper()
	if f.Share != nil {
		check(t, f.Close())
	}
	var err error
	f.Share, err = share.Open(f.dir, share.Node, f.store, time.Now)
	check(t, err)
	check(t, f.Sweep(t.Context()))
}

func (f *fixture) blob(t *testing.T, content string) share.Blob {
	t.Helper()
	b, err := f.Store(t.Context(), strings.NewReader(content), int64(len(content)))
	check(t, err)
	return b
}

func (f *fixture) put(t *testing.T, path, content string) error {
	t.Helper()
	b := f.blob(t, content)
	defer b.Release(t.Context())
	_, err := f.Put(t.Context(), path, b)
	return err
}

// blobs counts what is on disk.
func (f *fixture) blobs(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir(f.dir)
	check(t, err)
	return len(list)
}

func (f *fixture) read(t *testing.T, path string) string {
	t.Helper()
	r, _, err := f.Open(t.Context(), path, "")
	check(t, err)
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	check(t, err)
	return string(b)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, code spoolerr.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("error %v (code %d), want code %d", err, spoolerr.CodeOf(err), code)
	}
}

func TestFiles(t *testing.T) {
	f := open(t)
	check(t, f.put(t, `Color\a.icm`, "one"))
	check(t, f.put(t, `Color\b.icm`, "one"))
	if n := f.blobs(t); n != 1 {
		t.Errorf("the same content is there %d times", n)
	}
	if got := f.read(t, `COLOR\A.ICM`); got != "one" {
		t.Errorf("read %q", got)
	}
	check(t, f.put(t, `color\A.icm`, "two"))
	f.reopen(t)
	list, err := f.List(t.Context(), "Color")
	check(t, err)
	if len(list) != 2 || f.read(t, `Color\a.icm`) != "two" || f.blobs(t) != 2 {
		t.Errorf("after a replacement: %+v, %d blobs", list, f.blobs(t))
	}
	_, _, err = f.Open(t.Context(), `Color\a.icm`, strings.Repeat("0", 64))
	want(t, err, spoolerr.CodeInvalidData)
	check(t, f.Remove(t.Context(), `Color\a.icm`, nil))
	check(t, f.Remove(t.Context(), `Color\b.icm`, nil))
	want(t, f.Remove(t.Context(), `Color\b.icm`, nil), spoolerr.CodeFileNotFound)
	if n := f.blobs(t); n != 0 {
		t.Errorf("%d blobs are left", n)
	}
	_, err = f.List(t.Context(), "Color")
	want(t, err, spoolerr.CodePathNotFound)
}

// No spelling of a path reaches anything but a record.
func TestPathsThatLeadOut(t *testing.T) {
	f := open(t)
	check(t, os.WriteFile(filepath.Join(filepath.Dir(f.dir), "secret"), []byte("secret"), 0o600))
	for _, path := range []string{
		`..\secret`, `Color\..\..\secret`, `Color/../../secret`, `\secret`, `C:\secret`, `\\NTPRINT\PRINT$\x`, `Color\.`, `Color\`, `Color\\x`, "Color\\a\x00b",
		`Color\NUL`, `Color\COM1.icm`, `Color\x.`, `Color\x `, `Color\x:stream`, `Color\HPCLRL~1.ICM`, "Color\\cafe\u0301.icm", "secret", "",
	} {
		if err := f.put(t, path, "x"); !errors.Is(err, spoolerr.CodeInvalidName) {
			t.Errorf("Put(%q): %v", path, err)
		}
		if _, _, err := f.Open(t.Context(), path, ""); !errors.Is(err, spoolerr.CodeInvalidName) {
			t.Errorf("Open(%q): %v", path, err)
		}
	}
	if n := f.blobs(t); n != 0 {
		t.Errorf("%d blobs are left of what was refused", n)
	}
}

func TestContentThatIsNotAsAnnounced(t *testing.T) {
	f := open(t)
	for _, size := range []int64{2, 4, -1, share.MaxFile + 1} {
		if _, err := f.Store(t.Context(), strings.NewReader("abc"), size); err == nil {
			t.Errorf("3 bytes announced as %d were taken", size)
		}
	}
	if n := f.blobs(t); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func TestDamagedContentIsNotServed(t *testing.T) {
	f := open(t)
	check(t, f.put(t, `Color\a.icm`, "one"))
	file, err := f.Stat(t.Context(), `Color\a.icm`)
	check(t, err)
	check(t, os.Remove(filepath.Join(f.dir, file.Digest)))
	check(t, os.Symlink("/etc/passwd", filepath.Join(f.dir, file.Digest)))
	if _, _, err := f.Open(t.Context(), `Color\a.icm`, ""); !errors.Is(err, spoolerr.Corrupt) {
		t.Errorf("a link in the place of content was followed: %v", err)
	}
}

func TestOldLeftoversAreSwept(t *testing.T) {
	f := open(t)
	check(t, f.put(t, `Color\a.icm`, "one"))
	long := time.Now().Add(-2 * time.Hour)
	for name, age := range map[string]time.Time{".part-x": long, strings.Repeat("ab", 32): long, ".part-young": time.Now(), "README": long} {
		path := filepath.Join(f.dir, name)
		check(t, os.WriteFile(path, nil, 0o600))
		check(t, os.Chtimes(path, age, age))
	}
	f.reopen(t)
	if n := f.blobs(t); n != 3 { // the content, what is young, what is not ours
		t.Errorf("%d files are left", n)
	}
}

func x64(name string) share.Driver {
	return share.Driver{Name: name, Environment: "Windows x64", Version: 3, DriverPath: "drv.dll", DataFile: "drv.gpd", ColorProfiles: []string{"drv.icm"}}
}

func (f *fixture) add(t *testing.T, d share.Driver, content string, replace bool) error {
	t.Helper()
	blobs := make(map[string]share.Blob)
	for _, name := range d.Files() {
		blobs[name] = f.blob(t, content+name)
	}
	_, err := f.AddDriver(t.Context(), d, blobs, replace)
	for _, b := range blobs {
		b.Release(t.Context())
	}
	return err
}

func TestDrivers(t *testing.T) {
	f := open(t)
	check(t, f.add(t, x64("HP Color"), "1", false))
	want(t, f.add(t, x64("hp color"), "1", false), spoolerr.CodeDriverAlreadyInstalled)
	check(t, f.add(t, x64("Twin"), "1", false)) // shares all files
	if err := f.add(t, x64("Other"), "2", false); !errors.Is(err, spoolerr.Busy) {
		t.Errorf("another driver's files were overwritten: %v", err)
	}
	if err := f.put(t, `x64\3\drv.dll`, "evil"); !errors.Is(err, spoolerr.Denied) {
		t.Errorf("a driver's file was overwritten: %v", err)
	}
	if err := f.Remove(t.Context(), `Color\drv.icm`, nil); !errors.Is(err, spoolerr.Busy) {
		t.Errorf("a driver's profile was removed: %v", err)
	}
	list, err := f.Drivers(t.Context(), "TWIN", "Windows x64")
	check(t, err)
	check(t, f.RemoveDriver(t.Context(), list))
	if f.read(t, `x64\3\drv.dll`) != "1drv.dll" || f.blobs(t) != 3 {
		t.Error("the files went with one of two drivers")
	}
	check(t, f.add(t, x64("HP Color"), "2", true))
	if f.read(t, `x64\3\drv.dll`) != "2drv.dll" || f.blobs(t) != 3 {
		t.Errorf("replaced: %q, %d blobs", f.read(t, `x64\3\drv.dll`), f.blobs(t))
	}
	list, err = f.Drivers(t.Context(), "", "")
	check(t, err)
	check(t, f.RemoveDriver(t.Context(), list))
	if n := f.blobs(t); n != 0 || len(list) != 1 {
		t.Errorf("%d drivers, %d blobs left", len(list), n)
	}
}

func TestDriversThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*share.Driver){
		"environment": func(d *share.Driver) { d.Environment = "Plan 9" }, "version": func(d *share.Driver) { d.Version = 7 },
		"name": func(d *share.Driver) { d.Name = `a\b` }, "UNC path": func(d *share.Driver) { d.DataFile = `\\evil\share\x.dll` },
		"traversal": func(d *share.Driver) { d.DependentFiles = []string{`..\..\x`} }, "twice": func(d *share.Driver) { d.HelpFile = "DRV.DLL" },
		"profile": func(d *share.Driver) { d.ColorProfiles = []string{"/etc/passwd"} }, "control": func(d *share.Driver) { d.Provider = "a\x1b[2J" },
	} {
		d := x64("D")
		change(&d)
		if d.Check() == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// Writers of the same content, and of the same path, leave one sound file.
func TestTogether(t *testing.T) {
	f := open(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			content := bytes.Repeat([]byte{byte('a' + i%4)}, 100_000)
			b, err := f.Store(context.Background(), bytes.NewReader(content), int64(len(content)))
			if err == nil {
				_, err = f.Put(context.Background(), fmt.Sprintf(`Color\%d.icm`, i%2), b)
				b.Release(context.Background())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, path := range []string{`Color\0.icm`, `Color\1.icm`} {
		if got := f.read(t, path); len(got) != 100_000 || strings.Trim(got, got[:1]) != "" {
			t.Errorf("%s has %d bytes, mixed", path, len(got))
		}
	}
	if n := f.blobs(t); n > 2 {
		t.Errorf("%d blobs for two files", n)
	}
}
