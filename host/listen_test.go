package host

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// socketDir is short enough for sockets, as t.TempDir is not.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "spoolhost")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestListenAddresses(t *testing.T) {
	dir := socketDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]spoolerr.Kind{
		"nonsense": spoolerr.Invalid, "0.0.0.0:0": spoolerr.Denied, ":0": spoolerr.Denied, "192.0.2.1:0": spoolerr.Denied,
		"unix:" + filepath.Join(dir, strings.Repeat("x", 120)): spoolerr.Invalid, "unix:" + file: spoolerr.Exists,
	} {
		if l, err := listen(t.Context(), addr); !errors.Is(err, want) {
			t.Errorf("%s: %v %v", addr, l, err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "keep" {
		t.Errorf("%q %v", data, err)
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "unix:" + filepath.Join(dir, "new", "s")} {
		l, err := listen(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		again, err := listen(t.Context(), addrText(l))
		if !errors.Is(err, spoolerr.Busy) || !strings.Contains(err.Error(), "--listen") {
			t.Errorf("%s again: %v %v", addrText(l), again, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false) // as a killed host leaves it
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v %v: every local user must reach it", info, err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestRuntimeDir(t *testing.T) {
	short := socketDir(t)
	dir, err := runtimeDir(short)
	if err != nil || dir != filepath.Join(short, "run") {
		t.Fatalf("%q %v", dir, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "left"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := runtimeDir(short); err != nil || again != dir {
		t.Errorf("%q %v", again, err)
	}
	entries, err := os.ReadDir(dir)
	info, statErr := os.Stat(dir)
	if len(entries) != 0 || errors.Join(err, statErr) != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", entries, info)
	}
	long := filepath.Join(short, strings.Repeat("x", 100))
	elsewhere, err := runtimeDir(long)
	if err != nil || len(elsewhere) > maxSocketDir || strings.HasPrefix(elsewhere, long) {
		t.Errorf("%q %v", elsewhere, err)
	}
	_ = os.RemoveAll(elsewhere)
	t.Setenv("TMPDIR", long)
	if dir, err := runtimeDir(long); !errors.Is(err, spoolerr.Invalid) {
		t.Errorf("%q %v", dir, err)
	}
}

func TestNewRefuses(t *testing.T) {
	cfg := DefaultConfig()
	if _, err := New(t.Context(), cfg); !errors.Is(err, spoolerr.Invalid) {
		t.Errorf("no data directory: %v", err)
	}
	cfg.Data = filepath.Join(socketDir(t), "data")
	h, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Run(context.Background()); !errors.Is(err, spoolerr.Invalid) || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("no address: %v", err)
	}
	if err := errors.Join(h.Close(), h.Close()); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Data, "spoolhost.db"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), cfg); !errors.Is(err, spoolerr.Corrupt) || !strings.Contains(err.Error(), "spoolhost.db") {
		t.Errorf("damaged store: %v", err)
	}
}
