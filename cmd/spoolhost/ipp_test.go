package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/frontend/access"
)

func TestAccounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	do := func(stdin string, code int, args ...string) string {
		t.Helper()
		var out, errOut bytes.Buffer
		if got := run(t.Context(), append([]string{"ipp"}, append(args, "--users", file)...), strings.NewReader(stdin), &out, &errOut); got != code {
			t.Fatalf("ipp %v: exit %d, want %d\n%s%s", args, got, code, &out, &errOut)
		}
		if strings.Contains(out.String()+errOut.String(), "correct horse") {
			t.Errorf("ipp %v shows the password", args)
		}
		return out.String() + errOut.String()
	}
	do("correct horse\n", 0, "passwd", "ann", "--role", "operator")
	do("", 0, "passwd", "machine", "--certificate")
	do("", exitUsage, "passwd", "bob")
	do("short\n", exitUsage, "passwd", "bob")
	do("correct horse\n", exitUsage, "passwd", "a:b")
	do("correct horse\n", exitUsage, "passwd", "bob", "--role", "king")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v %v", info, err)
	}
	users, err := access.OpenUsers(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"ann": true, "ANN": true, "bob": false, "machine": false} {
		if c, ok := users.Verify(name, "correct horse"); ok != want || ok && c.Role != access.Operator {
			t.Errorf("%s: %+v %v", name, c, ok)
		}
	}
	if _, ok := users.Verify("machine", "-"); ok {
		t.Error("an account without a password has one")
	}
	do("", 0, "remove", "ann")
	do("", exitNotFound, "remove", "ann")
}

// serve answers print dialogs, and does without the usual address if it is taken.
func TestServeIPP(t *testing.T) {
	dir := shortDir(t)
	host := startServe(t.Context(), t, dir, "--ipp", "127.0.0.1:0")
	t.Cleanup(host.kill)
	_, at, _ := strings.Cut(host.line, "ipp at ")
	addr, _, _ := strings.Cut(at, ",")
	resp, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatalf("%q: %v", host.line, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("HTTP %d", resp.StatusCode)
	}
}
