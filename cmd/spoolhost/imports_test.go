package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/spoolhost/spoolhost/"

// listed is what "go list" says of one package.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Imports,Deps", module+"...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.ImportPath, module) {
			all = append(all, p)
		}
	}
}

// The rooms of the host, from the lowest: a room imports only from rooms above it in
// this list. Rooms on one line do not import each other.
func hostRooms() [][]string {
	return [][]string{
		{"store", "document", "eventlog", "trust"},
		{"registry", "job", "dial"},
		{"supervisor"},
		{"catalog"},
		{"portmon", "xcv", "loader"},
		{"pointprint"},
		{"dialogue", "share", "printerdata"},
		{"spooler"},
		{"cluster"},
		{"frontend", "metrics"},
		{""}, // package host itself
	}
}

// level gives the height of a package of the host; -1 for the test helpers beside it.
func level(room string) int {
	for i, names := range hostRooms() {
		if slices.Contains(names, room) {
			return i
		}
	}
	return -1
}

func roomOf(path string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(path, module+"host"), "/")
	room, _, _ := strings.Cut(rest, "/")
	return room
}

func TestImportOrder(t *testing.T) {
	for _, p := range listPackages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			if to, own := strings.CutPrefix(imported, module); own {
				if why := forbidden(path, to); why != "" {
					t.Errorf("%s imports %s: %s", path, to, why)
				}
			}
		}
	}
}

// forbidden says why from may not import to; empty if it may.
func forbidden(from, to string) string {
	top := func(path string) string { t, _, _ := strings.Cut(path, "/"); return t }
	allowed := map[string][]string{
		"proto":    {"proto"},
		"sdk":      {"proto", "sdk"},
		"host":     {"proto", "sdk", "host"},
		"plugins":  {"sdk", "plugins"},
		"examples": {"sdk"},
		"cmd":      {"proto", "sdk", "host", "plugins", "cmd"},
	}
	if !slices.Contains(allowed[top(from)], top(to)) {
		return top(from) + " imports only " + strings.Join(allowed[top(from)], ", ")
	}
	if top(from) == "plugins" && strings.HasPrefix(to, "plugins/") && !strings.HasPrefix(to, "plugins/internal/") {
		return "a plugin does not know another plugin"
	}
	if top(from) != "host" || top(to) != "host" {
		return ""
	}
	a, b := roomOf(module+from), roomOf(module+to)
	switch {
	case a == b, level(a) < 0:
		return ""
	case level(b) < 0:
		return "test helpers are for tests and cmd only"
	case level(b) >= level(a):
		return "imports inside host go downwards only; see hostRooms"
	}
	return ""
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"sdk/monitor", "proto/spoolhost/monitor/v2", true},
		{"sdk/monitor", "host/job", false},
		{"plugins/tcpmon", "host/job", false},
		{"plugins/tcpmon", "plugins/localmon", false},
		{"plugins/tcpmon", "plugins/internal/ports", true},
		{"host/spooler", "plugins/tcpmon", false},
		{"host/job", "host/document", true},
		{"host/document", "host/job", false},
		{"host/registry", "host/job", false},
		{"host/frontend/api", "host/spooler", true},
		{"host/spooler", "host/frontend/api", false},
		{"host", "host/frontend/api", true},
	} {
		if got := forbidden(c.from, c.to) == ""; got != c.ok {
			t.Errorf("%s -> %s: allowed %v, want %v", c.from, c.to, got, c.ok)
		}
	}
}

// Nothing below host may import go-plugin's client but the supervisor, and no vendor sees
// protobuf, gRPC or go-plugin in the packages that hold the contract's words.
func TestThirdPartyWalls(t *testing.T) {
	heavy := []string{"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/hashicorp/go-plugin"}
	for _, p := range listPackages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		switch path {
		case "sdk/spool", "sdk/spoolerr", "sdk/registry", "sdk/monitor/portconfig":
			for _, dep := range p.Deps {
				if slices.Contains(heavy, dep) {
					t.Errorf("%s depends on %s; it is vocabulary only", path, dep)
				}
			}
		}
		if path != "host/supervisor" && path != "sdk/wire" && slices.Contains(p.Imports, heavy[2]) {
			t.Errorf("%s imports go-plugin; only host/supervisor and sdk/wire do", path)
		}
	}
}

func TestTopLevelFolders(t *testing.T) {
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"README.md", "cmd", "examples", "go.mod", "go.sum", "host", "plugins", "proto", "sdk"}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(want, e.Name()) {
			t.Errorf("top-level entry %s is not part of the plan", e.Name())
		}
	}
}
