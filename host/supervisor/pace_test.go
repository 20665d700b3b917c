package supervisor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// TestCallLimit: who calls the host too often waits, is told so if it cannot, and the
// operator hears of it once.
func TestCallLimit(t *testing.T) {
	var said []string
	l := newCallLimit("busy", func(text string) { said = append(said, text) })
	next := func(context.Context, any) (any, error) { return nil, nil }
	ctx, cancel := context.WithTimeout(context.Background(), time.Microsecond)
	defer cancel()
	var refused error
	for n := 0; n < 100*callBurst && refused == nil; n++ {
		_, refused = l.intercept(ctx, nil, &grpc.UnaryServerInfo{}, next)
	}
	if err := spoolgrpc.FromStatus(refused); !errors.Is(err, spoolerr.Exhausted) || !strings.Contains(err.Error(), "module busy calls the host more than") {
		t.Errorf("refused with %v", err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "it calls the host more than") {
		t.Errorf("the operator hears %q", said)
	}
}
