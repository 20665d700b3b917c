package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
)

// TestMain makes the test binary the program itself when it is started with a command of
// the program: as a host by tests, and as a module by a host that a test started.
func TestMain(m *testing.M) {
	serveHostile(os.Args[1:])
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		main()
		return
	}
	unraced.Main(m)
}

// moduleFile is the file of this program for tests that have it be a module. As a host and
// as a client it is the one with the race detector; see startServe.
func moduleFile(t *testing.T) string {
	t.Helper()
	path, err := unraced.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
