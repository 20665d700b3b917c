package tcpmon_test

import (
	"testing"

	"github.com/spoolhost/spoolhost/plugins/tcpmon"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
)

func TestConformance(t *testing.T) {
	monitortest.Run(t, monitortest.Serve(tcpmon.Initialize), monitortest.Options{
		Settings: map[string]string{"host": "{{sink.host}}", "port": "{{sink.port}}", "writeTimeout": "1s"},
	})
}
