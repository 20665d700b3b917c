package monitortest_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
)

func TestMain(m *testing.M) {
	processVariant()
	mockmonitor.ServeIfAsked(mockmonitor.Options{UI: "mockui"})
	goleak.VerifyTestMain(m)
}

func sinkOptions() monitortest.Options {
	return monitortest.Options{Settings: map[string]string{"to": "{{sink}}"}}
}

// TestGood runs the kit against a monitor that keeps every rule, in process and out of it.
func TestGood(t *testing.T) {
	t.Run("in process", func(t *testing.T) {
		monitortest.Run(t, monitortest.Serve(mockmonitor.New(mockmonitor.Options{UI: "mockui"}).Initialize), sinkOptions())
	})
	t.Run("executable", func(t *testing.T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		monitortest.Run(t, monitortest.Executable(self, mockmonitor.Argument), sinkOptions())
	})
}
