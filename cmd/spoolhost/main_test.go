package main

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test binary the program itself when it is started with a command of
// the program: as a host by tests, and as a module by a host that a test started.
func TestMain(m *testing.M) {
	serveHostile(os.Args[1:])
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}
