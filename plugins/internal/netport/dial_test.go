package netport

import (
	"errors"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A queue that is full accepts no connection, and nobody answers: the time-out ends it.
func TestConnectErrors(t *testing.T) {
	r := Remote{Host: "printer", Port: 9100, ConnectTimeout: 10}
	for _, tt := range []struct {
		err   error
		words string
	}{
		{&net.OpError{Op: "dial", Err: timeoutError{}}, "printer:9100"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}, "name servers"},
	} {
		err := r.connectError(t.Context(), tt.err)
		if !errors.Is(err, spoolerr.Unavailable) || !errors.Is(err, spoolerr.CodeTimeout) || !strings.Contains(err.Error(), tt.words) ||
			!strings.Contains(err.Error(), "check") {
			t.Errorf("%v", err)
		}
	}
}

type timeoutError struct{}

func (timeoutError) Error() string { return "i/o timeout" }
func (timeoutError) Timeout() bool { return true }
