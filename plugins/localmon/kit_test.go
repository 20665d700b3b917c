package localmon_test

import (
	"os"
	"testing"

	"github.com/spoolhost/spoolhost/plugins/localmon"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
)

func TestConformance(t *testing.T) {
	monitortest.Run(t, monitortest.Serve(localmon.New([]string{os.TempDir()})), monitortest.Options{
		Settings: map[string]string{"path": "{{file}}"},
	})
}
