package tcpmonui_test

import (
	"net"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/plugins/tcpmon"
	"github.com/spoolhost/spoolhost/plugins/tcpmonui"
	"github.com/spoolhost/spoolhost/sdk/monitorui"
	"github.com/spoolhost/spoolhost/sdk/monitoruitest"
)

const argument = "spoolhost-test-ui"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == argument {
		monitorui.Serve(tcpmonui.UI{}, monitorui.Name(tcpmonui.Name))
	}
	goleak.VerifyTestMain(m)
}

// closedPort is one that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func TestConformance(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]map[string]string{
		"raw":          {"host": "127.0.0.1", "test": "false"},
		"lpr":          {"host": "127.0.0.1", "protocol": "lpr", "queue": "lp", "test": "false", "snmp": "true"},
		"switched off": {"host": "127.0.0.1", "port": closedPort(t)}, // and the connection is tested
	}
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			monitoruitest.Run(t, monitoruitest.Serve(tcpmonui.UI{}), monitoruitest.Options{Monitor: tcpmon.Initialize, Answers: a})
		})
	}
	t.Run("executable", func(t *testing.T) {
		monitoruitest.Run(t, monitoruitest.Executable(self, argument), monitoruitest.Options{Monitor: tcpmon.Initialize, Answers: answers["raw"]})
	})
}
