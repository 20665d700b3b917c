package cupsbackend_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spoolhost/spoolhost/plugins/cupsbackend"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
)

// The backend writes a document beside the file that its URI names, and gives it that
// name when it is whole.
const fileBackend = `#!/bin/sh
file="${DEVICE_URI#tofile:}"
cat >"$file.part" && mv "$file.part" "$file"
`

func TestConformance(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "backend")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tofile"), []byte(fileBackend), 0o755); err != nil {
		t.Fatal(err)
	}
	monitortest.Run(t, monitortest.Serve(cupsbackend.New([]string{dir}, "")), monitortest.Options{
		Settings: map[string]string{"uri": "tofile:{{file}}", "writeTimeout": "1s"},
	})
}
