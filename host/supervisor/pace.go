package supervisor

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// How much of the host's time one process may take, whatever it does. What exceeds the
// rate waits: the module is slowed down, and nobody else.
const (
	outputRate  = 8 << 20 // bytes of its output that are read in a second
	outputBurst = 4 << 20
	callRate    = 1000 // calls of host services in a second
	callBurst   = 10_000
)

// pacedReader reads a module's output no faster than the rate, and in pieces that keep
// each wait short.
type pacedReader struct {
	r     io.Reader
	limit *rate.Limiter
}

func (p *pacedReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b[:min(len(b), outputBurst)])
	_ = p.limit.WaitN(context.Background(), n)
	return n, err
}

// callLimit bounds the calls of host services.
type callLimit struct {
	limit    *rate.Limiter
	name     string
	complain func(text string)
	said     rate.Sometimes
}

func newCallLimit(name string, complain func(string)) *callLimit {
	return &callLimit{
		limit: rate.NewLimiter(callRate, callBurst), name: name, complain: complain, said: rate.Sometimes{First: 1, Interval: time.Minute},
	}
}

func (l *callLimit) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !l.limit.Allow() {
		l.said.Do(func() {
			l.complain(fmt.Sprintf("it calls the host more than %d times a second, and is slowed down", callRate))
		})
		if err := l.limit.Wait(ctx); err != nil {
			return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Exhausted, 0,
				"module %s calls the host more than %d times a second, and this call's deadline is too near to wait for its turn", l.name, callRate))
		}
	}
	return next(ctx, req)
}
