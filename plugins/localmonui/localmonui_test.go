package localmonui_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/plugins/localmon"
	"github.com/spoolhost/spoolhost/plugins/localmonui"
	"github.com/spoolhost/spoolhost/sdk/monitoruitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	for name, a := range map[string]map[string]string{
		"file":      {"path": filepath.Join(dir, "out"), "type": "file"},
		"directory": {"path": dir, "type": "directory", "name": "DIR"},
	} {
		t.Run(name, func(t *testing.T) {
			monitoruitest.Run(t, monitoruitest.Serve(localmonui.UI{}), monitoruitest.Options{Monitor: localmon.New([]string{dir}), Answers: a})
		})
	}
}
