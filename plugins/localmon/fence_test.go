package localmon

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestNoAllowedDirectory(t *testing.T) {
	b := newBench(t)
	b.mon = b.instance()
	montest.WantError(t, b.add("p", b.path("x")), spoolerr.Denied, spoolerr.CodeAccessDenied, `"p"`, `local_directories = ["/srv/print"]`)
}

func TestAllowedDirectoriesAreChecked(t *testing.T) {
	for _, dir := range []string{"", "print", "/srv/../etc", "/srv//print", "/srv/./print", "/srv/\x00"} {
		_, err := New([]string{dir})(t.Context(), newBench(t).host.Init(Name))
		montest.WantError(t, err, spoolerr.Invalid, 0, "local_directories")
	}
}

// hostile fills a directory with all that a port must not print to.
func hostile(b *bench) (outside string) {
	b.Helper()
	outside = filepath.Join(filepath.Dir(b.dir), "outside")
	err := errors.Join(
		os.Mkdir(outside, 0o755),
		os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o644),
		os.Mkdir(b.dir+"-not", 0o755),
		os.Mkdir(b.path("sub"), 0o755),
		os.WriteFile(b.path("file"), nil, 0o644),
		os.Symlink(outside, b.path("way-out")),
		os.Symlink("../outside", b.path("way-out-too")),
		os.Symlink("../outside/secret", b.path("link")),
		os.Symlink("../outside/new", b.path("dangling")),
		os.Symlink("file", b.path("inner-link")),
		os.Symlink("loop", b.path("loop")),
		syscall.Mkfifo(b.path("fifo"), 0o644),
	)
	l, lerr := net.Listen("unix", b.path("socket"))
	if err = errors.Join(err, lerr); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return outside
}

func TestPathsThatAreRefused(t *testing.T) {
	b := newBench(t)
	outside := hostile(b)
	for _, path := range []string{
		"", "out", "./out", b.dir + "/../outside/x", b.dir + "/sub/../../outside/x", b.dir + "//x", b.dir + "/./x", b.dir + "/..",
		filepath.Join(outside, "x"), filepath.Join(outside, "secret"), b.dir + "-not/x", "/etc/passwd", "/", "/dev/null",
		b.path("way-out/x"), b.path("way-out/secret"), b.path("way-out-too/x"), b.path("way-out"),
		b.path("link"), b.path("dangling"), b.path("inner-link"), b.path("loop"), b.path("loop/x"),
		b.path("fifo"), b.path("socket"), b.path("file") + "/", b.path("file/x"), b.path("new") + "/", b.path("none/x"),
		b.path("a\x00b"), b.path("a\nb"), b.path(strings.Repeat("x", 5000)), b.path(strings.Repeat("x", 300)),
	} {
		if err := b.add("p", path); err == nil || spoolerr.KindOf(err) == spoolerr.Internal {
			t.Errorf("%.80q: %v", path, err)
		}
	}
	for _, kind := range []string{kindDevice, kindDirectory, "fifo"} {
		if err := b.add("p", b.path("file"), "type", kind); !errors.Is(err, spoolerr.Invalid) {
			t.Errorf("file as %s: %v", kind, err)
		}
	}
	if infos, err := b.mon.EnumPorts(t.Context()); err != nil || len(infos) != 0 {
		t.Errorf("refused ports were stored: %v %v", infos, err)
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 1 {
		t.Error("something was created outside")
	}
}

// What was right at AddPort may have been swapped since.
func TestEveryDocumentIsCheckedAgain(t *testing.T) {
	swaps := map[string]func(b *bench, outside string) error{
		"file to link": func(b *bench, outside string) error {
			return os.Symlink(filepath.Join(outside, "secret"), b.path("sub/target"))
		},
		"file to fifo":      func(b *bench, _ string) error { return syscall.Mkfifo(b.path("sub/target"), 0o644) },
		"file to directory": func(b *bench, _ string) error { return os.Mkdir(b.path("sub/target"), 0o755) },
		"parent to link": func(b *bench, outside string) error {
			return errors.Join(os.Remove(b.path("sub")), os.Symlink(outside, b.path("sub")))
		},
		"parent gone": func(b *bench, _ string) error { return os.Remove(b.path("sub")) },
	}
	for name, swap := range swaps {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			outside := hostile(b)
			p := b.open("p", b.path("sub/target"))
			if err := swap(b, outside); err != nil {
				t.Fatal(err)
			}
			err := p.StartDoc(t.Context(), spool.Doc{JobID: 1})
			if err == nil || spoolerr.KindOf(err) == spoolerr.Internal || !strings.Contains(err.Error(), `"p"`) {
				t.Errorf("%v", err)
			}
			if data, _ := os.ReadFile(filepath.Join(outside, "secret")); string(data) != "secret" {
				t.Error("written outside")
			}
			if entries, _ := os.ReadDir(outside); len(entries) != 1 {
				t.Error("created outside")
			}
		})
	}
}

// Even inside a document the names may change; the directory is held, not its name.
func TestSwapsDuringADocument(t *testing.T) {
	b := newBench(t)
	outside := hostile(b)
	p := b.open("p", b.path("sub/target"))
	if err := p.StartDoc(t.Context(), spool.Doc{JobID: 1}); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		os.Rename(b.path("sub"), b.path("moved")),
		os.Symlink(outside, b.path("sub")),
	)
	_, werr := p.Write(t.Context(), []byte("doc"))
	if err = errors.Join(err, werr, p.EndDoc(t.Context(), 0)); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(b.path("moved/target")); string(data) != "doc" {
		t.Error("the document is not in its directory")
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 1 {
		t.Error("created outside")
	}
	// A link put in the target's place is not followed, and not replaced either.
	p = b.open("q", b.path("moved/target"))
	if err := p.StartDoc(t.Context(), spool.Doc{JobID: 2}); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.Remove(b.path("moved/target")), os.Symlink(filepath.Join(outside, "secret"), b.path("moved/target")))
	if err != nil {
		t.Fatal(err)
	}
	montest.WantError(t, p.EndDoc(t.Context(), 0), spoolerr.Denied, 0, "symbolic link")
}

func TestDirectoryNoLongerAllowed(t *testing.T) {
	b := newBench(t)
	p := b.open("p", b.path("x"))
	p.Close(t.Context())
	b.mon.Shutdown(t.Context())
	other := t.TempDir()
	b.mon = b.instance(other)
	infos, err := b.mon.EnumPorts(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Description != "not allowed: "+b.path("x") {
		t.Errorf("%v %v", infos, err)
	}
	again, err := b.mon.OpenPort(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	montest.WantError(t, again.StartDoc(t.Context(), spool.Doc{}), spoolerr.Denied, 0, other, "local_directories")
}
