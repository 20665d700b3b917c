package mscms

import (
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// TestWithoutABus: a system without a message bus has no colord, and that is no trouble.
func TestWithoutABus(t *testing.T) {
	err := Colord{Address: "unix:path=" + t.TempDir() + "/none"}.Offer(t.Context(), Profile{Printer: "q", Data: strings.NewReader("x")})
	if spoolerr.KindOf(err) != spoolerr.Unavailable {
		t.Errorf("%v", err)
	}
}
