// Package unraced is for tests that run their own binary as a module: under the race
// detector it gives them the same binary without. It is the host that is looked at, and a
// module with the detector in it takes five times as long to start.
//
// Tests of the host's packages import it. It knows nothing of hosts and modules.
package unraced

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

// variable names the built binary, for this process and the hosts that it starts.
const variable = "SPOOLHOST_TEST_UNRACED"

// Main runs the tests of a package, looks for leaked goroutines, and exits.
func Main(m *testing.M) {
	if !raced() {
		goleak.VerifyTestMain(m)
		return
	}
	dir, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// build builds the package's tests in a directory of their own; the working directory of a
// test is its package's. Without a debugger's tables, linking takes half the time.
func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "unraced"); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "module")
	if out, err := exec.Command("go", "test", "-c", "-ldflags=-s -w", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the tests without the race detector: %w: %s", err, out)
	}
	return dir, os.Setenv(variable, path)
}

func raced() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Executable gives the path of this program, or of the one that Main built in its place.
func Executable() (string, error) {
	if path := os.Getenv(variable); path != "" {
		return path, nil
	}
	return os.Executable()
}
