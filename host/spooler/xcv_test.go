package spooler_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/xcv"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

func (n *node) openXcv(t xcv.Target) *spooler.XcvSession {
	n.Helper()
	x, err := n.node().OpenXcv(n.Context(), t, spool.ServerAccessAdminister)
	n.ok(err)
	n.Cleanup(func() { _ = x.Close(n.Context()) })
	return x
}

func (n *node) portNames() string {
	var names []string
	for _, p := range n.node().Ports() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ",")
}

// TestXcvSession: ports come and go by commands as by AddPort and DeletePort, several on
// one handle.
func TestXcvSession(t *testing.T) {
	n := boot(t, nil)
	x := n.openXcv(xcv.Target{Monitor: monitorName})
	add := func(name string) error {
		_, err := x.Data(t.Context(), "AddPort", portconfig.Encode(name, nil))
		return err
	}
	n.ok(add("A"))
	n.ok(add("B"))
	if err := add("a"); !errors.Is(err, spoolerr.CodeAlreadyExists) {
		t.Errorf("a port twice: %v", err)
	}
	if err := add("c,d"); !errors.Is(err, spoolerr.CodeInvalidName) {
		t.Errorf("a bad name: %v", err)
	}
	if _, err := x.Data(t.Context(), "AddPort", nil); !errors.Is(err, spoolerr.CodeInvalidData) {
		t.Errorf("no name: %v", err)
	}
	if got := n.portNames(); got != "A,B" {
		t.Errorf("ports %s", got)
	}
	n.printer("Office", "A")
	if _, err := x.Data(t.Context(), "DeletePort", portconfig.EncodeText("A")); !errors.Is(err, spoolerr.CodeBusy) {
		t.Errorf("a port with a printer: %v", err)
	}
	if _, err := x.Data(t.Context(), "deleteport", portconfig.EncodeText("B")); !errors.Is(err, spoolerr.CodeInvalidParameter) {
		t.Errorf("this monitor minds the case of names: %v", err)
	}
	onPort := n.openXcv(xcv.Target{Port: "b"})
	_, err := onPort.Data(t.Context(), "DeletePort", portconfig.Encode("B", nil))
	n.ok(err)
	if got := n.portNames(); got != "A" {
		t.Errorf("ports %s", got)
	}
	_, err = x.Data(t.Context(), "nonsense", nil)
	var status *monitorwire.Status
	if !errors.As(err, &status) || spoolerr.CodeOf(err) != spoolerr.CodeInvalidParameter {
		t.Errorf("the monitor's own refusal: %v", err)
	}
}

func TestXcvOfUnknownObjects(t *testing.T) {
	n := boot(t, nil)
	for _, target := range []xcv.Target{{Monitor: "Nobody"}, {Port: "Nowhere"}, {}} {
		if _, err := n.node().OpenXcv(t.Context(), target, 1); !errors.Is(err, spoolerr.CodeInvalidName) {
			t.Errorf("%+v: %v", target, err)
		}
	}
}

// TestXcvSessionEndsWithItsMonitor: a handle is never used on another incarnation.
func TestXcvSessionEndsWithItsMonitor(t *testing.T) {
	n := boot(t, nil)
	x := n.openXcv(xcv.Target{Monitor: monitorName})
	before, _ := n.node().Monitor(monitorName)
	n.ok(kill(before.Process.PID))
	n.until("the monitor runs again", func() bool {
		now, _ := n.node().Monitor(monitorName)
		return now.Process != nil && now.Process.PID != before.Process.PID
	})
	_, err := x.Data(t.Context(), "AddPort", portconfig.Encode("A", nil))
	if !errors.Is(err, spoolerr.CodeInvalidHandle) || !strings.Contains(err.Error(), "restarted") {
		t.Errorf("error %v", err)
	}
	if got := n.portNames(); got != "" {
		t.Errorf("ports %s", got)
	}
}
