package dial

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// listen answers each connection with some bytes and ends it; nil keeps it, and says nothing.
func listen(t *testing.T, answer []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(served.Wait)
	t.Cleanup(func() { _ = l.Close() })
	served.Go(func() {
		var kept []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			if kept = append(kept, conn); answer != nil {
				_, _ = conn.Write(answer)
				_ = conn.Close()
			}
		}
		for _, conn := range kept {
			_ = conn.Close()
		}
	})
	return l.Addr().String()
}

func ask(t *testing.T, address string, patience time.Duration) error {
	t.Helper()
	target, err := Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := New(target, Options{Fingerprint: "SHA256:none"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = apiv1.NewPrintersClient(conn).GetPrinter(ctx, &apiv1.GetPrinterRequest{})
	return Explain(address, err)
}

// TestExplain: what gRPC says of a connection that comes to nothing is told so that somebody
// who chose the address knows what to do.
func TestExplain(t *testing.T) {
	alert := []byte{0x15, 3, 3, 0, 2, 2, 10} // what TLS says to those who do not speak it
	silent, closed := listen(t, nil), listen(t, []byte{})
	other := listen(t, []byte("220 I am a mail server\r\n"))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	_ = free.Close()
	for address, want := range map[string]string{
		listen(t, alert): "its address is tls:",
		closed:           "its address is tls:",
		other:            "is no host that speaks without TLS",
		"tls:" + other:   "speaks without TLS; give the address of the host's tls: listener, or " + other,
		nobody:           "it cannot be reached: ",
		silent:           "it did not answer in time",
		"unix:/nonesuch": "no such file or directory",
	} {
		patience := time.Minute
		if address == silent {
			patience = 200 * time.Millisecond
		}
		err := ask(t, address, patience)
		var own *spoolerr.Error
		if !errors.As(err, &own) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "desc =") {
			t.Errorf("%s: %v, and not %q", address, err, want)
		}
	}
}

// TestExplainLeavesAnswers: what the host itself says is not touched.
func TestExplainLeavesAnswers(t *testing.T) {
	for _, err := range []error{
		nil,
		spoolgrpc.ToStatus(spoolerr.New(spoolerr.Unavailable, 0, "the printer is off")),
		status.Error(codes.Unimplemented, "unknown method"),
		errors.New("anything"),
	} {
		if got := Explain("a:1", err); got != err { //nolint:errorlint // the same
			t.Errorf("%v became %v", err, got)
		}
	}
}
